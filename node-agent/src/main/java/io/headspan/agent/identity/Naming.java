package io.headspan.agent.identity;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Makes identities of what the sources say, in this order: the operator's rules, annotations that
/// the platform gave, and, only if the operator allows it, the environment of the process. A tenant
/// that none of them names stays unknown.
final class Naming {
  private static final String ENV_TENANT = "HEADSPAN_TENANT";
  private static final String ENV_TEAM = "HEADSPAN_TEAM";
  private static final String ENV_FUNCTION = "HEADSPAN_FUNCTION";
  private static final String ENV_VERSION = "HEADSPAN_VERSION";

  /// Kubernetes' recommended labels. They name a service, not a function that is billed.
  private static final String APP_NAME = "app.kubernetes.io/name";

  private static final String APP_VERSION = "app.kubernetes.io/version";

  private static final Annotations NO_ANNOTATIONS = Annotations.of(Map.of());
  private static final String SERVICE_SUFFIX = ".service";

  /// Without rules, and without environment.
  static final Naming PLAIN = new Naming(IdentityRules.NONE, false);

  private final IdentityRules rules;
  private final boolean trustEnvironment;

  Naming(IdentityRules rules, boolean trustEnvironment) {
    this.rules = rules;
    this.trustEnvironment = trustEnvironment;
  }

  /// Whether processes' environments need to be read.
  boolean readsEnvironment() {
    return trustEnvironment;
  }

  /// Whether what a container is may depend on its processes, for more than its runtime's label.
  boolean dependsOnProcesses() {
    return trustEnvironment || rules.lookAtProcesses();
  }

  /// A container.
  ///
  /// @param cgroup the path of its cgroup
  /// @param process one that runs in it; null if not known, or not needed
  Identity container(
      String cgroup, CgroupPath parsed, ContainerFacts facts, @Nullable ProcessFacts process) {
    ContainerFacts.Pod pod = facts.pod();
    String podUid = pod == null ? parsed.podUid() : pod.uid();
    IdentityRules.Given given =
        rules.apply(
            new IdentityRules.Subject(
                cgroup,
                process == null ? null : process.executable(),
                process == null ? null : process.commandLine(),
                parsed.unit(),
                facts.name(),
                facts.image(),
                pod == null ? null : pod.namespace(),
                pod == null ? null : pod.name(),
                facts.labels(),
                facts.annotations()));
    Annotations annotations = Annotations.of(facts.annotations());
    Annotations environment = environment(process);
    String function = first(given.function(), annotations.function(), environment.function());
    String image = facts.image() == null ? annotations.image() : facts.image();
    String service = first(function, facts.labels().get(APP_NAME), facts.name());
    ContainerEngine engine = facts.engine() == null ? parsed.engine() : facts.engine();
    Map<String, String> platform = new HashMap<>();
    put(platform, "k8s.pod.uid", podUid);
    if (pod != null) {
      put(platform, "k8s.namespace.name", pod.namespace());
      put(platform, "k8s.pod.name", pod.name());
    }
    put(platform, podUid == null ? "container.name" : "k8s.container.name", facts.name());
    put(platform, "container.runtime.name", engine == null ? null : engine.label());
    return new Identity(
        process != null && process.servesWasm() ? InstanceRuntime.WASM : InstanceRuntime.CONTAINER,
        service == null ? Identity.shortId(facts.id()) : service,
        first(given.tenant(), annotations.tenant(), environment.tenant()),
        first(given.team(), annotations.team(), environment.team()),
        function,
        first(
            given.version(),
            annotations.version(),
            environment.version(),
            facts.labels().get(APP_VERSION)),
        facts.id(),
        facts.id(),
        image,
        process != null && process.servesWasm() ? process.executableName() : null,
        0,
        Map.copyOf(platform));
  }

  /// A process that is in no container.
  Identity process(String cgroup, CgroupPath parsed, ProcessFacts process) {
    IdentityRules.Given given =
        rules.apply(
            new IdentityRules.Subject(
                cgroup,
                process.executable(),
                process.commandLine(),
                parsed.unit(),
                null,
                null,
                null,
                null,
                Map.of(),
                Map.of()));
    Annotations environment = environment(process);
    String function = first(given.function(), environment.function());
    String service = first(function, serviceOf(parsed.unit()));
    return new Identity(
        process.servesWasm() ? InstanceRuntime.WASM : InstanceRuntime.PROCESS,
        service == null ? process.executableName() : service,
        first(given.tenant(), environment.tenant()),
        first(given.team(), environment.team()),
        function,
        first(given.version(), environment.version()),
        process.process().instance(),
        null,
        null,
        process.executableName(),
        process.process().pid(),
        Map.of());
  }

  /// The name of a systemd service without its instance; null if the unit is no service, or a
  /// user's manager, which runs whatever the user does.
  static @Nullable String serviceOf(@Nullable String unit) {
    if (unit == null || !unit.endsWith(SERVICE_SUFFIX) || unit.startsWith("user@")) {
      return null;
    }
    String name = unit.substring(0, unit.length() - SERVICE_SUFFIX.length());
    int instance = name.indexOf('@');
    String service = instance > 0 ? name.substring(0, instance) : name;
    return service.isEmpty() ? null : service;
  }

  private Annotations environment(@Nullable ProcessFacts process) {
    if (process == null || !trustEnvironment) {
      return NO_ANNOTATIONS;
    }
    Map<String, String> variables = process.environment();
    Map<String, String> named = new HashMap<>();
    put(named, Annotations.TENANT, variables.get(ENV_TENANT));
    put(named, Annotations.TEAM, variables.get(ENV_TEAM));
    put(named, Annotations.FUNCTION, variables.get(ENV_FUNCTION));
    put(named, Annotations.VERSION, variables.get(ENV_VERSION));
    return Annotations.of(named);
  }

  private static void put(Map<String, String> into, String key, @Nullable String value) {
    if (value != null) {
      into.put(key, value);
    }
  }

  private static @Nullable String first(@Nullable String... values) {
    for (String value : values) {
      if (value != null && !value.isBlank()) {
        return Annotations.cut(value);
      }
    }
    return null;
  }
}
