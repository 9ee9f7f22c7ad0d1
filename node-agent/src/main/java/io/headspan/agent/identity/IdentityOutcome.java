package io.headspan.agent.identity;

/// How lookups of instances ended.
public enum IdentityOutcome {
  /// A cgroup is that of a container.
  CONTAINER,
  /// A cgroup is that of no container.
  NO_CONTAINER,
  /// A cgroup was gone before it could be looked up.
  NO_CGROUP,
  /// A port belongs to a process.
  PROCESS,
  /// A port belongs to a process of a container that has no cgroup of its own.
  SHARED_CGROUP,
  /// Nothing listens at a port any more, or what did is gone.
  NO_LISTENER,
  /// Several programs listen at a port.
  AMBIGUOUS_LISTENER,
  /// A lookup failed; the reason is in the log.
  FAILED,
  /// An exchange did not wait any longer for its identity.
  LATE,
  /// An exchange did not wait for its identity because too many others did.
  OVERFLOW;

  /// The outcome as a metric label.
  public String label() {
    return switch (this) {
      case CONTAINER -> "container";
      case NO_CONTAINER -> "no_container";
      case NO_CGROUP -> "no_cgroup";
      case PROCESS -> "process";
      case SHARED_CGROUP -> "shared_cgroup";
      case NO_LISTENER -> "no_listener";
      case AMBIGUOUS_LISTENER -> "ambiguous_listener";
      case FAILED -> "failed";
      case LATE -> "late";
      case OVERFLOW -> "overflow";
    };
  }
}
