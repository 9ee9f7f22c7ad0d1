package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.identity.CgroupPath.PodQuality;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The layouts that engines document, with made-up ids.
class CgroupPathTest {
  private static final String ID =
      "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";
  private static final String OTHER_ID = "f".repeat(64);
  private static final String UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  private static final String SLICE_UID = UID.replace('-', '_');

  /// ID, UID and SLICE_UID stand for the constants above.
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      nullValues = "-",
      value = {
        // Docker: cgroupfs driver, systemd driver, own parents of either, rootless
        "/docker/ID, DOCKER, ID, -, -, -, false",
        "/system.slice/docker-ID.scope, DOCKER, ID, -, -, -, false",
        "/batch.slice/docker-ID.scope, DOCKER, ID, -, -, -, false",
        "/batch/ID, -, ID, -, -, -, false",
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope, DOCKER, ID, -, -, user@1000.service, true",
        // the same seen from a cgroup namespace below the root
        "/../../system.slice/docker-ID.scope, DOCKER, ID, -, -, -, false",
        // containerd by ctr and nerdctl
        "/default/ID, -, ID, -, -, -, false",
        "/system.slice/nerdctl-ID.scope, CONTAINERD, ID, -, -, -, false",
        // podman: systemd, cgroupfs, pods, split, rootless, crun's inner cgroup
        "/machine.slice/libpod-ID.scope, PODMAN, ID, -, -, -, false",
        "/machine.slice/libpod-ID.scope/container, PODMAN, ID, -, -, -, false",
        "/libpod_parent/libpod-ID, PODMAN, ID, -, -, -, false",
        "/machine.slice/machine-libpod_pod_ID.slice/libpod-ID.scope, PODMAN, ID, -, -, -, false",
        "/system.slice/web.service/libpod-payload-ID, PODMAN, ID, -, -, web.service, true",
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container, PODMAN, ID, -, -, user@1000.service, true",
        "/machine.slice/libpod-conmon-ID.scope, -, -, -, -, -, false",
        // runc, crun and youki by themselves
        "/system.slice/runc-checkout-1.scope, RUNC, checkout-1, -, -, -, false",
        "/system.slice/crun-checkout.2.scope, CRUN, checkout.2, -, -, -, false",
        "/system.slice/youki-x.scope, YOUKI, x, -, -, -, false",
        // Kubernetes, cgroupfs driver
        "/kubepods/podUID/ID, -, ID, UID, GUARANTEED, -, false",
        "/kubepods/burstable/podUID/ID, -, ID, UID, BURSTABLE, -, false",
        "/kubepods/besteffort/podUID/ID, -, ID, UID, BEST_EFFORT, -, false",
        "/kubepods/besteffort/podUID/crio-ID, CRIO, ID, UID, BEST_EFFORT, -, false",
        "/kubepods/besteffort/podUID, -, -, UID, BEST_EFFORT, -, false",
        "/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/ID, -, ID, 0123456789abcdef0123456789abcdef, BEST_EFFORT, -, false",
        // Kubernetes, systemd driver: containerd, CRI-O, cri-dockerd
        "/kubepods.slice/kubepods-podSLICE.slice/cri-containerd-ID.scope, CONTAINERD, ID, UID, GUARANTEED, -, false",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podSLICE.slice/cri-containerd-ID.scope, CONTAINERD, ID, UID, BURSTABLE, -, false",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podSLICE.slice/crio-ID.scope, CRIO, ID, UID, BEST_EFFORT, -, false",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podSLICE.slice/crio-ID.scope/container, CRIO, ID, UID, BEST_EFFORT, -, false",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podSLICE.slice/docker-ID.scope, DOCKER, ID, UID, BEST_EFFORT, -, false",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podSLICE.slice/crio-conmon-ID.scope, -, -, UID, BEST_EFFORT, -, false",
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podSLICE.slice, -, -, UID, BEST_EFFORT, -, false",
        // a kubelet with --cgroup-root, as kind has it
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podSLICE.slice/cri-containerd-ID.scope, CONTAINERD, ID, UID, BEST_EFFORT, -, false",
        // a kubelet with the systemd driver over a containerd without
        "/system.slice/containerd.service/kubepods-burstable-podSLICE.slice:cri-containerd:ID, CONTAINERD, ID, UID, BURSTABLE, containerd.service, false",
        // systemd
        "/system.slice/nginx.service, -, -, -, -, nginx.service, false",
        "/system.slice/system-getty.slice/getty@tty1.service, -, -, -, -, getty@tty1.service, false",
        "/system.slice/postgres.service/workers, -, -, -, -, postgres.service, false",
        "/user.slice/user-1000.slice/session-3.scope, -, -, -, -, session-3.scope, false",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service, -, -, -, -, web.service, false",
        "/init.scope, -, -, -, -, init.scope, false",
        // nothing
        "/, -, -, -, -, -, false",
        "/some/where, -, -, -, -, -, false",
        "/docker/3f1c8a4b5d6e, -, -, -, -, -, false",
        "/runc-x, -, -, -, -, -, false",
        "/podUID, -, -, -, -, -, false",
        "/mine/burstable/podUID/x, -, -, -, -, -, false"
      })
  void readsTheLayoutsOfEngines(
      String path,
      @Nullable ContainerEngine engine,
      @Nullable String containerId,
      @Nullable String podUid,
      @Nullable PodQuality quality,
      @Nullable String unit,
      boolean delegated) {
    CgroupPath parsed = CgroupPath.parse(filled(path));
    assertThat(parsed.engine()).isEqualTo(engine);
    assertThat(parsed.containerId()).isEqualTo(containerId == null ? null : filled(containerId));
    assertThat(parsed.podUid()).isEqualTo(podUid == null ? null : filled(podUid));
    assertThat(parsed.quality()).isEqualTo(quality);
    assertThat(parsed.unit()).isEqualTo(unit);
    if (parsed.isContainer()) {
      assertThat(parsed.delegated()).isEqualTo(delegated);
    }
  }

  /// Who may make cgroups below its own cannot make itself another container.
  @Test
  void theOutermostContainerCounts() {
    CgroupPath parsed = CgroupPath.parse("/docker/" + ID + "/kubepods/pod" + UID + "/" + OTHER_ID);
    assertThat(parsed.containerId()).isEqualTo(ID);
    assertThat(parsed.podUid()).isNull();
  }

  @Test
  void givesUpOnPathsThatNoKernelMakes() {
    assertThat(CgroupPath.parse("/a".repeat(5_000))).isEqualTo(CgroupPath.UNKNOWN);
  }

  private static String filled(String text) {
    return text.replace("SLICE.", SLICE_UID + ".").replace("UID", UID).replace("ID", ID);
  }
}
