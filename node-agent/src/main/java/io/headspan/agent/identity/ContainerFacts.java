package io.headspan.agent.identity;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What platform sources say about a container. What nobody said is null.
///
/// @param annotations of the container and its pod, given by the platform
/// @param labels of the container and its pod; an image may bring some along, so only rules make
///   anything of them
record ContainerFacts(
    String id,
    @Nullable String name,
    @Nullable ContainerEngine engine,
    @Nullable String image,
    @Nullable Pod pod,
    Map<String, String> annotations,
    Map<String, String> labels) {
  /// A Kubernetes pod. Of one that nobody told about, the uid alone is known.
  record Pod(String uid, @Nullable String namespace, @Nullable String name) {}

  /// Nothing but its id.
  static ContainerFacts of(String id) {
    return new ContainerFacts(id, null, null, null, null, Map.of(), Map.of());
  }

  /// These, with gaps filled by what another source says of the same container.
  ContainerFacts orElse(ContainerFacts other) {
    Pod bestPod = pod == null || (pod.name() == null && other.pod != null) ? other.pod : pod;
    return new ContainerFacts(
        id,
        name == null ? other.name : name,
        engine == null ? other.engine : engine,
        image == null ? other.image : image,
        bestPod,
        merged(annotations, other.annotations),
        merged(labels, other.labels));
  }

  private static Map<String, String> merged(Map<String, String> first, Map<String, String> second) {
    if (second.isEmpty()) {
      return first;
    }
    Map<String, String> all = new HashMap<>(second);
    all.putAll(first);
    return Map.copyOf(all);
  }
}
