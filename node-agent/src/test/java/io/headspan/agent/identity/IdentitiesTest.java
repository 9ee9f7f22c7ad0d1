package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// With a made-up cgroup hierarchy, states as runc writes them, and the real `/proc`.
class IdentitiesTest {
  private static final int OWN_PID = (int) ProcessHandle.current().pid();

  @TempDir Path directory;
  private Path mount;
  private Path states;
  private Path executors;
  private PlatformSettings platforms;
  private @Nullable Identities opened;
  private long skippedNs;
  private final Map<Long, Boolean> cgroups = new HashMap<>();

  @BeforeEach
  void makeTrees() throws IOException {
    mount = Files.createDirectories(directory.resolve("cgroup"));
    states = Files.createDirectories(directory.resolve("runc"));
    platforms = PlatformSettings.DEFAULT.withStateRoots(List.of(states.toString()));
    executors = Files.createDirectories(directory.resolve("run/executors"));
  }

  @AfterEach
  void close() {
    if (opened != null) {
      opened.close();
    }
  }

  @Test
  void knowsContainersThatWereThereBefore() throws IOException {
    long id = cgroup("/a", "");
    StateFiles.write(states, "a", mount + "/a", "io.headspan.function=checkout");
    Identities identities = start();
    Identity identity = await(identities, id, local(80), "/");
    assertThat(identity.serviceName()).isEqualTo("checkout");
    assertThat(identities.ofCaller(id)).isSameAs(identity);
    assertThat(cgroups).containsEntry(id, true);
    assertThat(identities.sawBeginning(id)).isFalse();
  }

  @Test
  void waitsForAStateThatIsNotWrittenYet() throws IOException {
    Identities identities = start();
    long id = cgroup("/a", "");
    identities.onEvent(new LifecycleEvent.CgroupCreated(1, id, "/a"));
    assertThat(identities.ofServer(id, local(80), "GET", "/", now())).isEqualTo(NoIdentity.PENDING);
    List<Boolean> asked = new ArrayList<>();
    assertThat(identities.await(id, local(80), asked::add)).isTrue();
    StateFiles.write(states, "a", mount + "/a", "io.headspan.tenant=acme");
    until(identities, () -> !asked.isEmpty());
    assertThat(asked).containsExactly(false);
    assertThat(((Identity) identities.ofServer(id, local(80), "GET", "/", now())).tenant())
        .isEqualTo("acme");
    assertThat(identities.waiting()).isZero();
    assertThat(identities.sawBeginning(id)).isTrue();
  }

  /// Look-ups that take long, here at a kubelet that does not answer, do not cost others theirs.
  /// What a later source still knows is added.
  @Test
  void knowsAContainerThatIsGoneWhenItsTurnComes() throws IOException {
    String containerId = "0123456789abcdef".repeat(4);
    String path = "/docker/" + containerId;
    Path known = Files.createDirectories(directory.resolve("docker/containers/" + containerId));
    Files.writeString(
        known.resolve("config.v2.json"),
        "{\"ID\": \"" + containerId + "\", \"Config\": {\"Image\": \"shop:7\"}}");
    Identities identities;
    long id;
    try (ServerSocket kubelet = listen()) {
      platforms =
          set(
              Map.of(
                  "HEADSPAN_X_KUBELET",
                  "http://127.0.0.1:" + kubelet.getLocalPort(),
                  "HEADSPAN_X_DOCKER_ROOT",
                  directory.resolve("docker").toString()));
      identities = start();
      String pod = "/kubepods/pod0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9/" + "f".repeat(64);
      identities.onEvent(new LifecycleEvent.CgroupCreated(1, cgroup(pod, ""), pod));
      id = cgroup(path, "");
      try (Socket asked = kubelet.accept()) {
        assertThat(asked.isConnected()).isTrue();
        identities.onEvent(new LifecycleEvent.CgroupCreated(1, id, path));
        StateFiles.write(states, containerId, mount + path, "io.headspan.tenant=acme");
        identities.onEvent(new LifecycleEvent.Exec(2, 7, id, "/bin/a"));
        until(identities, () -> identities.isGlimpsed(id));
        Files.delete(states.resolve(containerId).resolve("state.json"));
        Files.delete(mount.resolve(path.substring(1)));
        identities.onEvent(new LifecycleEvent.CgroupRemoved(3, id, path));
        assertThat(identities.ofServer(id, local(80), "GET", "/", now()))
            .isEqualTo(NoIdentity.PENDING);
      }
    }
    Identity identity = await(identities, id, local(80), "/");
    assertThat(identity.tenant()).isEqualTo("acme");
    assertThat(identity.image()).isEqualTo("shop:7");
  }

  @Test
  void remembersARemovedContainerForAWhile() throws IOException {
    long id = cgroup("/a", "");
    StateFiles.write(states, "a", mount + "/a");
    Identities identities = start();
    Identity identity = await(identities, id, local(80), "/");
    Files.delete(states.resolve("a/state.json"));
    Files.delete(mount.resolve("a"));
    identities.onEvent(new LifecycleEvent.CgroupRemoved(2, id, "/a"));
    pass(identities, Duration.ofSeconds(29));
    assertThat(identities.ofServer(id, local(80), "GET", "/", now())).isSameAs(identity);
    pass(identities, Duration.ofSeconds(2));
    assertThat(identities.ofServer(id, local(80), "GET", "/", now())).isEqualTo(NoIdentity.PENDING);
    until(identities, () -> identities.ofCaller(id) == NoIdentity.NO_CONTAINER);
    assertThat(identities.ofServer(id, local(80), "GET", "/", now())).isSameAs(Identity.UNKNOWN);
    assertThat(identities.outcomes().count(IdentityOutcome.NO_CGROUP)).isEqualTo(1);
  }

  /// The event of a cgroup can be lost: it is looked for when an exchange names it.
  @Test
  void looksForACgroupWhoseEventWasLost() throws IOException {
    Identities identities = start();
    until(identities, () -> identities.outcomes().count(IdentityOutcome.NO_CONTAINER) == 1);
    long id = cgroup("/a", "");
    StateFiles.write(states, "a", mount + "/a");
    assertThat(await(identities, id, local(80), "/").containerId()).isEqualTo("a");
  }

  @Test
  void namesAPlainProcessAndKnowsNoCallerByIt() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      Identity identity = await(identities, id, local(socket.getLocalPort()), "/");
      assertThat(identity.runtime()).isEqualTo(InstanceRuntime.PROCESS);
      assertThat(identity.serviceName()).isEqualTo("java");
      assertThat(identities.ofCaller(id)).isEqualTo(NoIdentity.NO_CONTAINER);
      assertThat(cgroups).containsEntry(id, false);
      InetSocketAddress otherAddress = new InetSocketAddress("127.0.0.3", socket.getLocalPort());
      assertThat(await(identities, id, otherAddress, "/")).isEqualTo(identity);
    }
  }

  /// Whoever may connect to many addresses of a machine does not use up the memory for them.
  @Test
  void forgetsTheEldestAddressesWhereThereAreTooMany() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      for (int i = 0; i < 1_100; i++) {
        InetSocketAddress address =
            new InetSocketAddress("127.1." + i / 250 + "." + (i % 250 + 1), socket.getLocalPort());
        assertThat(await(identities, id, address, "/").pid()).isEqualTo(OWN_PID);
      }
    }
    assertThat(identities.outcomes().count(IdentityOutcome.OVERFLOW)).isZero();
    assertThat(identities.outcomes().count(IdentityOutcome.PROCESS)).isEqualTo(1_100);
  }

  @Test
  void looksAgainWhenTheProcessOfAPortEnded() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    InetSocketAddress local;
    try (ServerSocket socket = listen()) {
      local = local(socket.getLocalPort());
      await(identities, id, local, "/");
    }
    long endNs = now();
    identities.onEvent(new LifecycleEvent.Exit(endNs, OWN_PID, id, 0));
    assertThat(identities.ofServer(id, local, "GET", "/", endNs - 1)).isInstanceOf(Identity.class);
    assertThat(await(identities, id, local, "/")).isSameAs(Identity.UNKNOWN);
    assertThat(identities.outcomes().count(IdentityOutcome.NO_LISTENER)).isEqualTo(1);
  }

  @Test
  void namesTheFunctionOfARegisteredExecutor() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      int port = socket.getLocalPort();
      register(OWN_PID, ownStart(), port, "acme", "resize", "3");
      Identity identity = await(identities, id, local(port), "/functions/acme/resize");
      assertThat(identity)
          .isEqualTo(
              new Identity(
                  InstanceRuntime.WASM,
                  "resize",
                  "acme",
                  null,
                  "resize",
                  "3",
                  OWN_PID + "@" + ownStart(),
                  null,
                  null,
                  null,
                  OWN_PID));
      register(OWN_PID, ownStart(), port, "acme", "encode", "1");
      assertThat(await(identities, id, local(port), "/functions/acme/encode").function())
          .as("deployed a moment ago")
          .isEqualTo("encode");
      Identity other = await(identities, id, local(port), "/functions/rival/encode");
      assertThat(other.runtime()).isEqualTo(InstanceRuntime.PROCESS);
      assertThat(other.tenant()).as("a path names no tenant").isNull();
    }
  }

  @Test
  void knowsAnExecutorAtTheFirstRequestAfterItsRegistration() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      int port = socket.getLocalPort();
      Identity before = await(identities, id, local(port), "/healthz");
      assertThat(before.runtime()).isEqualTo(InstanceRuntime.PROCESS);
      register(OWN_PID, ownStart(), port, "acme", "resize", "3");
      assertThat(await(identities, id, local(port), "/functions/acme/resize").function())
          .isEqualTo("resize");
    }
  }

  @Test
  void whatIsBelowAFunctionInvokesItAndDeployingDoesNot() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      int port = socket.getLocalPort();
      register(OWN_PID, ownStart(), port, "acme", "resize", "3");
      Identity function = await(identities, id, local(port), "/functions/acme/resize");
      for (String path : List.of("/functions/acme/resize/", "/functions/acme/resize/a/b")) {
        assertThat(identities.ofServer(id, local(port), "PUT", path, 0)).isSameAs(function);
      }
      assertThat(identities.ofServer(id, local(port), "POST", "/functions/acme/resize", 0))
          .isSameAs(function);
      for (String method : List.of("PUT", "DELETE")) {
        Lookup deployment =
            identities.ofServer(id, local(port), method, "/functions/acme/resize", 0);
        assertThat(((Identity) deployment).runtime()).isEqualTo(InstanceRuntime.PROCESS);
        assertThat(((Identity) deployment).function()).isNull();
      }
      for (String path : List.of("/functions/acme", "/functions", "/", "/functions/acme/resized")) {
        assertThat(((Identity) identities.ofServer(id, local(port), "GET", path, 0)).function())
            .isNull();
      }
    }
  }

  /// Without any runtime's state there is still the path.
  @Test
  void namesAContainerByItsPathAlone() throws IOException {
    String containerId = "0123456789abcdef".repeat(4);
    Files.delete(states);
    long id = cgroup("/docker/" + containerId, OWN_PID + "\n");
    Identities identities = start();
    Identity identity = await(identities, id, local(80), "/");
    assertThat(identity.runtime()).isEqualTo(InstanceRuntime.CONTAINER);
    assertThat(identity.containerId()).isEqualTo(containerId);
    assertThat(identity.tenant()).isNull();
    assertThat(cgroups).containsEntry(id, true);
  }

  @Test
  void looksAtAContainersProcessesForRules() throws IOException {
    platforms = ruled("[{match: {executable: java}, tenant: acme}]");
    long id = cgroup("/a", OWN_PID + "\n");
    StateFiles.write(states, "a", mount + "/a");
    Identities identities = start();
    Identity identity = await(identities, id, local(80), "/");
    assertThat(identity.tenant()).isEqualTo("acme");
    assertThat(identities.ofCaller(id)).isSameAs(identity);
  }

  @Test
  void rulesNamePlainProcesses() throws IOException {
    platforms =
        ruled("[{match: {cgroup: /own, command_line: '*java*'}, tenant: acme, function: f}]");
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      Identity identity = await(identities, id, local(socket.getLocalPort()), "/");
      assertThat(identity.tenant()).isEqualTo("acme");
      assertThat(identity.serviceName()).isEqualTo("f");
      assertThat(identity.runtime()).isEqualTo(InstanceRuntime.PROCESS);
    }
  }

  @Test
  void refusesRegistrationsThatAreNotThoseOfARunningProcess() throws IOException {
    long id = cgroup("/own", OWN_PID + "\n");
    Identities identities = start();
    try (ServerSocket socket = listen()) {
      int port = socket.getLocalPort();
      register(OWN_PID, ownStart() + 1, port, "acme", "resize", "3");
      assertThat(await(identities, id, local(port), "/functions/acme/resize").runtime())
          .isEqualTo(InstanceRuntime.PROCESS);
    }
  }

  @Test
  void doesNotWaitForEver() throws IOException {
    Identities identities = start();
    long id = cgroup("/a", "");
    identities.onEvent(new LifecycleEvent.CgroupCreated(1, id, "/a"));
    List<Boolean> asked = new ArrayList<>();
    assertThat(identities.await(id, null, asked::add)).isTrue();
    pass(identities, Duration.ofSeconds(10));
    assertThat(asked).containsExactly(true);
    assertThat(identities.outcomes().count(IdentityOutcome.LATE)).isEqualTo(1);
  }

  @Test
  void letsABoundedNumberWait() throws IOException {
    Identities identities = start();
    long id = cgroup("/a", "");
    identities.onEvent(new LifecycleEvent.CgroupCreated(1, id, "/a"));
    int accepted = 0;
    for (int i = 0; i < 200; i++) {
      accepted += identities.await(id, null, _ -> {}) ? 1 : 0;
    }
    assertThat(accepted).isEqualTo(100);
    assertThat(identities.outcomes().count(IdentityOutcome.OVERFLOW)).isEqualTo(100);
  }

  private Identities start() {
    Identities identities =
        Identities.start(
            new IdentitySettings(
                mount,
                Path.of("/proc"),
                platforms,
                directory.resolve("run"),
                Duration.ofSeconds(10),
                100,
                Duration.ofSeconds(30)),
            (cgroupId, container) -> cgroups.put(cgroupId, container),
            now());
    opened = identities;
    return identities;
  }

  private PlatformSettings ruled(String rules) {
    return set(Map.of("HEADSPAN_X_RULES", rules));
  }

  private PlatformSettings set(Map<String, String> variables) {
    Map<String, String> all = new HashMap<>(variables);
    all.put("HEADSPAN_X_CONTAINER_ROOTS", states.toString());
    return PlatformSettings.from(Settings.of("x", SettingSources.of(all)));
  }

  private long now() {
    return System.nanoTime() + skippedNs;
  }

  private void pass(Identities identities, Duration duration) {
    skippedNs += duration.toNanos();
    identities.poll(now());
  }

  private Identity await(Identities identities, long id, InetSocketAddress local, String path) {
    long headNs = now();
    until(
        identities, () -> identities.ofServer(id, local, "GET", path, headNs) instanceof Identity);
    return (Identity) identities.ofServer(id, local, "GET", path, headNs);
  }

  private void until(Identities identities, BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("30 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
      identities.poll(now());
    }
  }

  private long cgroup(String path, String pids) throws IOException {
    Path cgroup = Files.createDirectories(mount.resolve(path.substring(1)));
    if (!pids.isEmpty()) {
      Files.writeString(cgroup.resolve("cgroup.procs"), pids);
    }
    return new CgroupTree(mount).id(path);
  }

  private void register(
      int pid, long startTicks, int port, String tenant, String name, String version)
      throws IOException {
    String registration =
        """
        {"pid": %d, "startTicks": %d, "port": %d,
         "functions": [{"tenant": "%s", "name": "%s", "version": "%s"}]}
        """
            .formatted(pid, startTicks, port, tenant, name, version);
    Path written = executors.resolve("new");
    Files.writeString(written, registration);
    Files.move(written, executors.resolve(pid + ".json"), StandardCopyOption.ATOMIC_MOVE);
  }

  private long ownStart() throws IOException {
    return new Processes(Path.of("/proc"), new CgroupTree(mount))
        .process(OWN_PID)
        .orElseThrow()
        .startTicks();
  }

  private static ServerSocket listen() throws IOException {
    return new ServerSocket(0, 1, InetAddress.getByName("0.0.0.0"));
  }

  private static InetSocketAddress local(int port) {
    return new InetSocketAddress("127.0.0.1", port);
  }
}
