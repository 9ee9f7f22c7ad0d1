package io.headspan.loadgen.runc;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// What to run in a container, and what the platform says about it.
///
/// @param id the container's id; unique on the machine
/// @param command program and arguments, as paths inside the container
/// @param annotations OCI annotations, from which the node agent takes tenant, function and version
/// @param readOnlyMounts directories and files of the host that the container sees at the same
///   path, beside the system directories it always gets
/// @param networkNamespace the network namespace to join; the host's if empty
/// @param cpuset CPUs to run on in cpuset syntax; all if empty
/// @param memoryBytes most memory it may have; as much as it likes if empty
/// @param cpuQuota CPU time per period of 100 ms; no limit if empty
public record ContainerSpec(
    String id,
    List<String> command,
    Map<String, String> annotations,
    List<Path> readOnlyMounts,
    Optional<Path> networkNamespace,
    Optional<String> cpuset,
    Optional<Long> memoryBytes,
    Optional<Duration> cpuQuota) {
  /// The period of [#cpuQuota].
  static final Duration QUOTA_PERIOD = Duration.ofMillis(100);

  public ContainerSpec {
    Objects.requireNonNull(id, "id");
    if (!id.matches("[a-zA-Z0-9_.-]{1,64}")) {
      throw new IllegalArgumentException(
          "not a container id: id=" + id + " (letters, digits, '_', '.', '-', at most 64)");
    }
    command = List.copyOf(command);
    annotations = Map.copyOf(annotations);
    readOnlyMounts = List.copyOf(readOnlyMounts);
  }

  /// A container that runs `command`.
  public static ContainerSpec of(String id, List<String> command) {
    return new ContainerSpec(
        id,
        command,
        Map.of(),
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /// The same, annotated as a function of a tenant.
  public ContainerSpec asFunction(String tenant, String function, String version) {
    Map<String, String> all = new LinkedHashMap<>(annotations);
    all.put("io.headspan.tenant", tenant);
    all.put("io.headspan.function", function);
    all.put("io.headspan.version", version);
    return new ContainerSpec(
        id, command, all, readOnlyMounts, networkNamespace, cpuset, memoryBytes, cpuQuota);
  }

  public ContainerSpec withAnnotation(String key, String value) {
    Map<String, String> all = new LinkedHashMap<>(annotations);
    all.put(key, value);
    return new ContainerSpec(
        id, command, all, readOnlyMounts, networkNamespace, cpuset, memoryBytes, cpuQuota);
  }

  public ContainerSpec withReadOnlyMount(Path path) {
    List<Path> all = new ArrayList<>(readOnlyMounts);
    all.add(path);
    return new ContainerSpec(
        id, command, annotations, all, networkNamespace, cpuset, memoryBytes, cpuQuota);
  }

  public ContainerSpec inNetworkNamespace(Path namespace) {
    return new ContainerSpec(
        id,
        command,
        annotations,
        readOnlyMounts,
        Optional.of(namespace),
        cpuset,
        memoryBytes,
        cpuQuota);
  }

  public ContainerSpec onCpus(String cpus) {
    return new ContainerSpec(
        id,
        command,
        annotations,
        readOnlyMounts,
        networkNamespace,
        Optional.of(cpus),
        memoryBytes,
        cpuQuota);
  }

  public ContainerSpec withMemory(long bytes) {
    return new ContainerSpec(
        id,
        command,
        annotations,
        readOnlyMounts,
        networkNamespace,
        cpuset,
        Optional.of(bytes),
        cpuQuota);
  }

  /// The same with a limit on its CPU time in each period of 100 ms.
  public ContainerSpec withCpuQuota(Duration quota) {
    return new ContainerSpec(
        id,
        command,
        annotations,
        readOnlyMounts,
        networkNamespace,
        cpuset,
        memoryBytes,
        Optional.of(quota));
  }
}
