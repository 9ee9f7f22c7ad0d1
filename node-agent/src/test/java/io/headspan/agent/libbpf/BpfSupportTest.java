package io.headspan.agent.libbpf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BpfSupportTest {
  @TempDir Path proc;

  @BeforeEach
  void makeSelf() throws IOException {
    Files.createDirectory(proc.resolve("self"));
  }

  @Test
  void neverThrows() {
    assertThat(BpfSupport.check())
        .allSatisfy(missing -> {
          assertThat(missing.reason()).isNotBlank();
          assertThat(missing.remedy()).isNotBlank();
        });
  }

  @Test
  void findsTheCgroup2MountAmongOthers() throws IOException {
    mounts(
        """
        20 1 0:18 / /sys rw,nosuid shared:7 - sysfs sysfs rw
        24 20 0:21 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
        25 24 0:22 / /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu
        31 24 0:28 /machine /mnt/part rw - cgroup2 cgroup2 rw
        30 24 0:28 / /sys/fs/cgroup/uni\\040fied rw,nosuid shared:15 - cgroup2 cgroup2 rw
        """);
    assertThat(BpfSupport.cgroup2Mounts(proc)).containsExactly(Path.of("/sys/fs/cgroup/uni fied"));
  }

  @Test
  void findsNoCgroup2MountWhereThereIsNone() throws IOException {
    assertThat(BpfSupport.cgroup2Mounts(proc)).isEmpty();
    mounts("25 24 0:22 / /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu\n");
    assertThat(BpfSupport.cgroup2Mounts(proc)).isEmpty();
  }

  @Test
  void namesTheCapabilitiesThatAreMissing() throws IOException {
    capabilities("0000000000000000");
    assertThat(BpfSupport.capabilities(proc))
        .hasValue(
            new BpfSupport.Missing(
                BpfSupport.Part.PERMISSION,
                "this process may not use BPF: missing=[CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN]",
                "run it as root, or give it CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"));
  }

  @Test
  void isContentWithTheThreeCapabilitiesAndWithTheOldOne() throws IOException {
    // CAP_BPF 39, CAP_PERFMON 38, CAP_NET_ADMIN 12
    capabilities("000000c000001000");
    assertThat(BpfSupport.capabilities(proc)).isEmpty();
    // CAP_SYS_ADMIN 21, CAP_NET_ADMIN 12
    capabilities("0000000000201000");
    assertThat(BpfSupport.capabilities(proc)).isEmpty();
    capabilities("0000000000200000");
    assertThat(BpfSupport.capabilities(proc))
        .hasValueSatisfying(
            missing -> assertThat(missing.reason()).endsWith("missing=[CAP_NET_ADMIN]"));
  }

  @Test
  void saysSoWhenProcIsNotThere() {
    assertThat(BpfSupport.capabilities(proc))
        .hasValueSatisfying(missing -> assertThat(missing.remedy()).isEqualTo("mount /proc"));
  }

  @Test
  void missesTheKernelsTypes() {
    assertThat(BpfSupport.btf(proc.resolve("vmlinux")))
        .hasValueSatisfying(missing -> assertThat(missing.part()).isEqualTo(BpfSupport.Part.BTF));
  }

  private void mounts(String lines) throws IOException {
    Files.writeString(proc.resolve("self/mountinfo"), lines);
  }

  private void capabilities(String hex) throws IOException {
    Files.writeString(
        proc.resolve("self/status"),
        "Name:\tjava\nCapInh:\t0000000000000000\nCapEff:\t" + hex + "\nCapBnd:\tffff\n");
  }
}
