package io.headspan.agent.identity;

/// What runs an instance.
public enum InstanceRuntime {
  CONTAINER("container"),
  PROCESS("process"),
  WASM("wasm");

  private final String label;

  InstanceRuntime(String label) {
    this.label = label;
  }

  /// The value of the attribute `headspan.runtime`.
  public String label() {
    return label;
  }
}
