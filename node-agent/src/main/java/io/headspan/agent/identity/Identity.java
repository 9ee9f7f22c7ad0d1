package io.headspan.agent.identity;

import org.jspecify.annotations.Nullable;

/// Who an instance is. What nobody told is null: an instance without tenant is of no tenant, not of
/// a default one. One object per instance, or per function of an executor, as long as it lives.
///
/// @param serviceName the function; without one, the container's short id or the executable's name
/// @param tenant as the platform says: annotation or executor
/// @param function name of the function, only if the platform named it
/// @param instance what tells instances of one function apart: the container's id, or pid and start
/// @param containerId the container's full id
/// @param image the container's image
/// @param executable file name of the process's executable
/// @param pid of the process, in the agent's view; 0 if not known
public record Identity(
    InstanceRuntime runtime,
    String serviceName,
    @Nullable String tenant,
    @Nullable String team,
    @Nullable String function,
    @Nullable String version,
    @Nullable String instance,
    @Nullable String containerId,
    @Nullable String image,
    @Nullable String executable,
    int pid)
    implements Lookup {
  /// What the semantic conventions call a service of which nothing is known.
  private static final String UNKNOWN_SERVICE = "unknown_service";

  private static final int SHORT_ID_LENGTH = 12;

  /// A process of which nothing could be found out.
  public static final Identity UNKNOWN =
      new Identity(
          InstanceRuntime.PROCESS,
          UNKNOWN_SERVICE,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          null,
          0);

  static Identity ofContainer(String containerId, Annotations annotations) {
    String function = annotations.function();
    String shortId =
        containerId.length() > SHORT_ID_LENGTH
            ? containerId.substring(0, SHORT_ID_LENGTH)
            : containerId;
    return new Identity(
        InstanceRuntime.CONTAINER,
        function == null ? shortId : function,
        annotations.tenant(),
        annotations.team(),
        function,
        annotations.version(),
        containerId,
        containerId,
        annotations.image(),
        null,
        0);
  }

  static Identity ofProcess(ProcessId process, String executable) {
    return new Identity(
        InstanceRuntime.PROCESS,
        executable,
        null,
        null,
        null,
        null,
        process.instance(),
        null,
        null,
        executable,
        process.pid());
  }

  static Identity ofFunction(
      ProcessId executor, String tenant, String function, @Nullable String version) {
    return new Identity(
        InstanceRuntime.WASM,
        function,
        tenant,
        null,
        function,
        version,
        executor.instance(),
        null,
        null,
        null,
        executor.pid());
  }
}
