package io.headspan.agent.identity;

/// Why there is no [Identity].
public enum NoIdentity implements Lookup {
  /// It is being looked up.
  PENDING,
  /// The cgroup is that of no container, so that nothing tells whose calls leave from it.
  NO_CONTAINER
}
