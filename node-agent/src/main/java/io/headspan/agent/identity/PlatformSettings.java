package io.headspan.agent.identity;

import io.headspan.wire.config.Settings;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which platforms are asked who an instance is.
///
/// @param stateRoots directories with the container states of runc and crun, `container_roots`; `*`
///   stands for any one element
/// @param criSockets Kubernetes container runtime sockets, `cri_sockets`; those that are not there
///   are left out
/// @param kubelet address of the kubelet's API, `kubelet`, such as `http://127.0.0.1:10255` or
///   `https://127.0.0.1:10250`; null to not ask it
/// @param kubeletTokenFile bearer token for it, `kubelet_token_file`
/// @param kubeletCaFile certificates to know it by, `kubelet_ca_file`
/// @param dockerRoot Docker's data directory, `docker_root`
/// @param trustEnvironment whether `HEADSPAN_TENANT`, `_TEAM`, `_FUNCTION` and `_VERSION` in a
///   process's own environment count, `trust_environment`
/// @param rules the operator's mapping, `rules`
public record PlatformSettings(
    List<String> stateRoots,
    List<String> criSockets,
    @Nullable URI kubelet,
    @Nullable Path kubeletTokenFile,
    @Nullable Path kubeletCaFile,
    Path dockerRoot,
    boolean trustEnvironment,
    IdentityRules rules) {
  private static final List<String> STATE_ROOTS =
      List.of("/run/runc", "/run/crun", "/run/containerd/runc/*", "/run/docker/runtime-runc/*");
  private static final List<String> CRI_SOCKETS =
      List.of(
          "/run/containerd/containerd.sock",
          "/run/crio/crio.sock",
          "/run/cri-dockerd.sock",
          "/run/k3s/containerd/containerd.sock");
  private static final URI NO_KUBELET = URI.create("http://localhost");
  private static final Path DOCKER_ROOT = Path.of("/var/lib/docker");

  /// What is looked at unless told otherwise.
  public static final PlatformSettings DEFAULT =
      new PlatformSettings(
          STATE_ROOTS, CRI_SOCKETS, null, null, null, DOCKER_ROOT, false, IdentityRules.NONE);

  /// These with other directories of container states.
  public PlatformSettings withStateRoots(List<String> roots) {
    return new PlatformSettings(
        roots,
        criSockets,
        kubelet,
        kubeletTokenFile,
        kubeletCaFile,
        dockerRoot,
        trustEnvironment,
        rules);
  }

  /// Takes its keys out of the agent's settings.
  public static PlatformSettings from(Settings settings) {
    return new PlatformSettings(
        settings.list(
            "container_roots",
            STATE_ROOTS,
            PlatformSettings::absolute,
            "absolute paths, comma separated"),
        settings.list(
            "cri_sockets",
            CRI_SOCKETS,
            PlatformSettings::absolute,
            "absolute paths, comma separated"),
        settings
            .text("kubelet")
            .map(_ -> settings.parsed("kubelet", NO_KUBELET, PlatformSettings::kubelet))
            .orElse(null),
        settings.text("kubelet_token_file").map(Path::of).orElse(null),
        settings.text("kubelet_ca_file").map(Path::of).orElse(null),
        settings.absolutePath("docker_root", DOCKER_ROOT),
        settings.flag("trust_environment", false),
        IdentityRules.of(settings.sections("rules")));
  }

  private static @Nullable String absolute(String text) {
    return text.startsWith("/") ? text : null;
  }

  private static URI kubelet(String text) {
    URI uri = URI.create(text);
    boolean isHttp = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
    if (!isHttp || uri.getHost() == null || uri.getRawQuery() != null) {
      throw new IllegalArgumentException("want=http://host:port or https://host:port");
    }
    return uri;
  }
}
