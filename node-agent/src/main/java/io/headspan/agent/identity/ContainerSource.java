package io.headspan.agent.identity;

import java.io.IOException;
import java.util.Optional;

/// One platform that knows containers by their cgroups.
interface ContainerSource extends AutoCloseable {
  /// What this source knows of the container in a cgroup; empty if nothing, or nothing yet.
  ///
  /// @param path of the cgroup in the v2 hierarchy
  /// @param parsed the same path, read
  /// @throws IOException if the source is there and cannot be read
  Optional<ContainerFacts> find(String path, CgroupPath parsed) throws IOException;

  /// What can be said of a cgroup by its name alone and at once: little enough work to be asked for
  /// every few milliseconds.
  ///
  /// @throws IOException if what there is cannot be read
  default Optional<ContainerFacts> glance(String path) throws IOException {
    return Optional.empty();
  }

  /// Whether a cgroup should have an answer here sooner or later, so that asking again is worth it.
  boolean expects(CgroupPath parsed);

  @Override
  default void close() {}
}
