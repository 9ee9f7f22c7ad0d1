package io.headspan.agent.identity;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Who an instance is. What nobody told is null: an instance without tenant is of no tenant, not of
/// a default one. One object per instance, or per function of an executor, as long as it lives.
///
/// @param serviceName the function; without one, what the platform calls the container or service,
///   else the container's short id or the executable's name
/// @param tenant as the platform says: annotation, rule or executor
/// @param function name of the function, only if the platform named it
/// @param instance what tells instances of one function apart: the container's id, or pid and start
/// @param containerId the container's full id
/// @param image the container's image
/// @param executable file name of the process's executable
/// @param pid of the process, in the agent's view; 0 if not known
/// @param platform more that the platform says, by the names of the semantic conventions
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
    int pid,
    Map<String, String> platform)
    implements Lookup {
  /// What the semantic conventions call a service of which nothing is known.
  private static final String UNKNOWN_SERVICE = "unknown_service";

  private static final int SHORT_ID_LENGTH = 12;

  /// An instance of which the platform says nothing more.
  public Identity(
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
      int pid) {
    this(
        runtime,
        serviceName,
        tenant,
        team,
        function,
        version,
        instance,
        containerId,
        image,
        executable,
        pid,
        Map.of());
  }

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

  /// As much of a container's id as people use.
  static String shortId(String containerId) {
    return containerId.length() > SHORT_ID_LENGTH
        ? containerId.substring(0, SHORT_ID_LENGTH)
        : containerId;
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

  /// Of what differs between instances; identities are looked up for every span.
  @Override
  public int hashCode() {
    return 31 * serviceName.hashCode() + (instance == null ? 0 : instance.hashCode());
  }
}
