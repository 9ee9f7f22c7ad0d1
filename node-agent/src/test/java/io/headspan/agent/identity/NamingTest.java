package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class NamingTest {
  private static final String ID =
      "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

  @Test
  void aContainerIsWhatItsAnnotationsSay() {
    Identity identity =
        container(
            Naming.PLAIN,
            facts(
                Map.of(
                    "io.headspan.tenant", "acme",
                    "io.headspan.team", "payments",
                    "io.headspan.function", "checkout",
                    "io.headspan.version", "7"),
                Map.of("io.headspan.tenant", "an image's label")),
            null);
    assertThat(identity.serviceName()).isEqualTo("checkout");
    assertThat(identity.tenant()).isEqualTo("acme");
    assertThat(identity.team()).isEqualTo("payments");
    assertThat(identity.function()).isEqualTo("checkout");
    assertThat(identity.version()).isEqualTo("7");
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.CONTAINER);
    assertThat(identity.platform())
        .containsEntry("k8s.namespace.name", "shop")
        .containsEntry("k8s.pod.name", "web-1")
        .containsEntry("k8s.container.name", "web");
  }

  @Test
  void labelsNameTheServiceButNoTenantAndNoFunction() {
    Identity identity =
        container(
            Naming.PLAIN,
            facts(
                Map.of(),
                Map.of(
                    "app.kubernetes.io/name", "storefront",
                    "app.kubernetes.io/version", "2",
                    "io.headspan.tenant", "mine")),
            null);
    assertThat(identity.serviceName()).isEqualTo("storefront");
    assertThat(identity.version()).isEqualTo("2");
    assertThat(identity.tenant()).isNull();
    assertThat(identity.function()).isNull();
  }

  @Test
  void aContainerOfWhichNothingIsKnownHasItsShortIdAndNoTenant() {
    Identity identity =
        Naming.PLAIN.container(
            "/docker/" + ID, CgroupPath.parse("/docker/" + ID), ContainerFacts.of(ID), null);
    assertThat(identity.serviceName()).isEqualTo("3f1c8a4b5d6e");
    assertThat(identity.containerId()).isEqualTo(ID);
    assertThat(identity.tenant()).isNull();
    assertThat(identity.platform()).containsExactly(Map.entry("container.runtime.name", "docker"));
  }

  @Test
  void theOperatorsRulesWinOverAnnotations() {
    Naming naming = naming("- match: {namespace: shop}\n  tenant: ruled\n", false);
    Identity identity =
        container(naming, facts(Map.of("io.headspan.tenant", "annotated"), Map.of()), null);
    assertThat(identity.tenant()).isEqualTo("ruled");
  }

  @Test
  void theProcessesOwnWordCountsOnlyWhereAllowedAndLast() {
    ProcessFacts process = process("/bin/app", Map.of("HEADSPAN_TENANT", "self"), "app");
    ContainerFacts bare = facts(Map.of(), Map.of());
    ContainerFacts annotated = facts(Map.of("io.headspan.tenant", "annotated"), Map.of());
    Naming trusting = naming("[]", true);
    assertThat(container(Naming.PLAIN, bare, process).tenant()).isNull();
    assertThat(container(trusting, bare, process).tenant()).isEqualTo("self");
    assertThat(container(trusting, annotated, process).tenant()).isEqualTo("annotated");
    assertThat(trusting.process("/", CgroupPath.UNKNOWN, process).tenant()).isEqualTo("self");
    assertThat(Naming.PLAIN.process("/", CgroupPath.UNKNOWN, process).tenant()).isNull();
  }

  @Test
  void aProcessIsCalledByItsServiceElseByItsExecutable() {
    ProcessFacts java = process("/usr/bin/java", Map.of(), "java", "-jar", "x.jar");
    assertThat(service("/system.slice/payments.service", java)).isEqualTo("payments");
    assertThat(service("/system.slice/worker@7.service", java)).isEqualTo("worker");
    assertThat(service("/user.slice/user-1.slice/user@1.service/app.slice/gnome.scope", java))
        .isEqualTo("java");
    assertThat(service("/user.slice/user-1.slice/user@1.service", java)).isEqualTo("java");
    assertThat(service("/", java)).isEqualTo("java");
  }

  @Test
  void foreignWasmServersAreToldByTheirPrograms() {
    assertThat(runtime("/opt/wasmtime", "wasmtime", "serve", "x.wasm"))
        .isEqualTo(InstanceRuntime.WASM);
    assertThat(runtime("/opt/wasmtime", "wasmtime", "run", "x.wasm"))
        .isEqualTo(InstanceRuntime.PROCESS);
    assertThat(runtime("/opt/spin", "spin", "up")).isEqualTo(InstanceRuntime.WASM);
    assertThat(runtime("/opt/spin", "spin", "trigger", "http")).isEqualTo(InstanceRuntime.WASM);
    assertThat(runtime("/opt/spin", "spin", "build")).isEqualTo(InstanceRuntime.PROCESS);
    assertThat(runtime("/usr/local/bin/wasmedge", "wasmedge", "s.wasm"))
        .isEqualTo(InstanceRuntime.WASM);
    assertThat(runtime("/usr/bin/nginx", "nginx", "serve")).isEqualTo(InstanceRuntime.PROCESS);
    Identity shim =
        container(
            Naming.PLAIN,
            facts(Map.of("io.headspan.tenant", "acme"), Map.of()),
            process("/usr/bin/containerd-shim-spin-v2", Map.of(), "spin"));
    assertThat(shim.runtime()).isEqualTo(InstanceRuntime.WASM);
    assertThat(shim.tenant()).isEqualTo("acme");
  }

  private static InstanceRuntime runtime(String executable, String... arguments) {
    ProcessFacts process = process(executable, Map.of(), arguments);
    return Naming.PLAIN.process("/", CgroupPath.UNKNOWN, process).runtime();
  }

  private static String service(String cgroup, ProcessFacts process) {
    return Naming.PLAIN.process(cgroup, CgroupPath.parse(cgroup), process).serviceName();
  }

  private static Identity container(
      Naming naming, ContainerFacts facts, @Nullable ProcessFacts process) {
    return naming.container("/a", CgroupPath.UNKNOWN, facts, process);
  }

  private static ContainerFacts facts(Map<String, String> annotations, Map<String, String> labels) {
    return new ContainerFacts(
        ID,
        "web",
        null,
        "image",
        new ContainerFacts.Pod("uid", "shop", "web-1"),
        annotations,
        labels);
  }

  private static ProcessFacts process(
      String executable, Map<String, String> environment, String... arguments) {
    return new ProcessFacts(
        new ProcessId(7, 70), executable, List.copyOf(Arrays.asList(arguments)), environment);
  }

  private static Naming naming(String rules, boolean trustEnvironment) {
    Settings settings = Settings.of("x", SettingSources.of(Map.of("HEADSPAN_X_RULES", rules)));
    return new Naming(IdentityRules.of(settings.sections("rules")), trustEnvironment);
  }
}
