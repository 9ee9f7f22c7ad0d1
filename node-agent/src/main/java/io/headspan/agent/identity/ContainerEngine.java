package io.headspan.agent.identity;

/// What made a container.
enum ContainerEngine {
  CONTAINERD("containerd"),
  CRIO("cri-o"),
  CRUN("crun"),
  DOCKER("docker"),
  PODMAN("podman"),
  RUNC("runc"),
  YOUKI("youki");

  private final String label;

  ContainerEngine(String label) {
    this.label = label;
  }

  /// The value of the attribute `container.runtime.name`.
  String label() {
    return label;
  }
}
