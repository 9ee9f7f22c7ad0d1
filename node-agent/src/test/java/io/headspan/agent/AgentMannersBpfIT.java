package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.headspan.agent.export.ArrowCollector;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The agent as a process of its own: what rights it needs and keeps, and what is left of it.
@Tag("privileged")
class AgentMannersBpfIT {
  /// Detail is raised by a level each 20 s at most.
  private static final Duration PATIENCE = Duration.ofSeconds(150);

  private static final String LEAST = "-all,+bpf,+perfmon,+net_admin";
  private static final Path SETPRIV = Path.of("/usr/bin/setpriv");
  private static final Path BPFTOOL = Path.of("/usr/sbin/bpftool");

  /// CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN.
  private static final long NEEDED = (1L << 39) | (1L << 38) | (1L << 12);

  /// And CAP_SYS_NICE, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH.
  private static final long OF_THE_AGENT = NEEDED | (1L << 23) | (1L << 19) | (1L << 2);

  /// CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH.
  private static final long KEPT = (1L << 39) | (1L << 38) | (1L << 19) | (1L << 2);

  /// Of /proc/pid/stat, the first being 1.
  private static final int NICE_FIELD = 19;

  /// How often a descriptor's number may be that of another one when it is read.
  private static final int READS_MAX = 10;

  @TempDir private Path directory;
  private final HttpClient client = HttpClient.newHttpClient();
  private final ArrowCollector collector = new ArrowCollector();
  private final List<AutoCloseable> open = new ArrayList<>();

  @BeforeEach
  void startCollector() throws IOException {
    collector.start();
    open.add(collector);
  }

  @AfterEach
  void closeAll() throws Exception {
    client.close();
    while (!open.isEmpty()) {
      open.removeLast().close();
    }
  }

  @Test
  void capturesWithThreeCapabilitiesAndKeepsOnlyWhatItNeeds() throws Exception {
    needs(SETPRIV);
    int port = startHttpServer();
    Agent agent =
        startAgent(List.of(SETPRIV.toString(), "--bounding-set", LEAST, "--inh-caps", "-all"));
    capturesARequest(port);
    assertThreadsHaveAtMost(NEEDED, agent.process().pid());
  }

  /// Those of the Java runtime too, which lay down nothing.
  @Test
  void startedByTheScriptNoThreadMayMoreThanAnAgentHasAUseFor() throws Exception {
    needs(SETPRIV);
    int port = startHttpServer();
    Agent agent = startAgent(List.of(prefixOfScript().split(" ", -1)));
    capturesARequest(port);
    long pid = agent.process().pid();
    assertThreadsHaveAtMost(OF_THE_AGENT, pid);
    until("precedence was given", () -> threadsOf(pid, -10).contains("headspan-captur"));
  }

  @Test
  void laysDownWhatARootUserHas() throws Exception {
    int port = startHttpServer();
    Agent agent = startAgent(List.of());
    capturesARequest(port);
    long pid = agent.process().pid();
    assertThat(capabilitiesOfThreads(pid).get("headspan-captur")).isEqualTo(KEPT);
    assertThreadsHaveAtMost(-1, pid);
  }

  /// @param runtimes what the Java runtime's own threads may have
  private static void assertThreadsHaveAtMost(long runtimes, long pid) throws IOException {
    Map<String, Long> capabilities = capabilitiesOfThreads(pid);
    assertThat(capabilities).containsKeys("headspan-captur", "headspan-identi", "headspan-export");
    assertThat(capabilities).as("the runtime's").containsKeys("java", "VM Thread");
    capabilities.forEach((thread, bits) -> {
      boolean own = thread.startsWith("headspan-") || thread.startsWith("armeria");
      assertThat(bits & ~(own ? KEPT & runtimes : runtimes)).as(thread).isZero();
    });
  }

  /// What `./headspan agent` puts before its Java.
  private static String prefixOfScript() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                "bash", "-c", "top=$PWD/..; . ../launcher/bin/setup.sh; role_prefix agent")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String prefix =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor()).isZero();
    assertThat(prefix).startsWith("setpriv ");
    return prefix;
  }

  @Test
  void givesPrecedenceToTheThreadsThatMustNotComeTooLateAlone() throws Exception {
    int port = startHttpServer();
    Agent agent = startAgent(List.of());
    long pid = agent.process().pid();
    Set<String> preceding = Set.of("headspan-captur", "headspan-glance");
    until("they have precedence", () -> threadsOf(pid, -10).equals(preceding));
    capturesARequest(port);
    assertThat(threadsOf(pid, -10)).isEqualTo(preceding);
    assertThat(threadsOf(pid, 0)).contains("headspan-identi", "headspan-proces", "headspan-export");
  }

  @Test
  void leavesNothingInTheKernelWhenItIsKilled() throws Exception {
    needs(BPFTOOL);
    Agent agent = startAgent(List.of());
    long pid = agent.process().pid();
    Set<Integer> programs = heldBy("prog", pid);
    Set<Integer> maps = heldBy("map", pid);
    Set<Integer> links = heldBy("link", pid);
    assertThat(programs).isNotEmpty();
    assertThat(maps).isNotEmpty();
    assertThat(links).isNotEmpty();
    agent.kill();
    // The kernel frees them a grace period later.
    until("programs are gone", () -> disjoint(all("prog"), programs));
    until("maps are gone", () -> disjoint(all("map"), maps));
    until("links are gone", () -> disjoint(all("link"), links));
  }

  @Test
  void givesLessDetailUnderLoadAndAllOfItAgainWhenThatIsOver() throws Exception {
    int port = startHttpServer();
    Agent agent = startAgent(List.of(), Map.of("HEADSPAN_AGENT_CPU_BUDGET", "0.12"));
    assertThat(metric(agent, "headspan_agent_detail_level")).isZero();
    assertThat(metric(agent, "headspan_agent_time_accounts_on")).isEqualTo(1);
    AtomicBoolean loaded = new AtomicBoolean(true);
    Runnable load =
        () -> {
          while (loaded.get()) {
            get(port, "/load");
          }
        };
    List<Thread> loads =
        List.of(Thread.ofPlatform().daemon().start(load), Thread.ofPlatform().daemon().start(load));
    try {
      until("detail is lowered", () -> metric(agent, "headspan_agent_detail_level") > 0);
      assertThat(get(agent.port(), "/ready")).contains("time accounts of invocations are off");
    } finally {
      loaded.set(false);
      for (Thread each : loads) {
        each.join();
      }
    }
    until("time accounts are off", () -> metric(agent, "headspan_agent_time_accounts_on") == 0);
    // Asking is work for the agent too.
    until(
        "detail is raised again",
        Duration.ofSeconds(2),
        () -> metric(agent, "headspan_agent_detail_level") == 0);
    until("time accounts are on", () -> metric(agent, "headspan_agent_time_accounts_on") == 1);
    capturesARequest(port);
  }

  private double metric(Agent agent, String name) {
    return get(agent.port(), "/metrics")
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no such metric: " + name));
  }

  /// Where the build is to prove it, a test that cannot run has failed.
  private static void needs(Path program) {
    boolean there = Files.isExecutable(program);
    if ("true".equals(System.getenv("CI"))) {
      assertThat(there).as("%s is installed, as CI needs it", program).isTrue();
    }
    assumeTrue(there, program + " is not installed");
  }

  private record Agent(Process process, int port) {
    void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }
  }

  private Agent startAgent(List<String> prefix) throws Exception {
    return startAgent(prefix, Map.of());
  }

  private Agent startAgent(List<String> prefix, Map<String, String> settings) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    List<String> command = new ArrayList<>(prefix);
    command.addAll(
        List.of(
            System.getProperty("java.home") + File.separator + "bin" + File.separator + "java",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            System.getProperty("java.class.path"),
            AgentMain.class.getName()));
    Path log = directory.resolve("agent.log");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder
        .environment()
        .putAll(
            Map.of(
                "HEADSPAN_AGENT_COLLECTOR",
                "127.0.0.1:" + collector.port(),
                "HEADSPAN_AGENT_LISTEN",
                "127.0.0.1:" + port,
                "HEADSPAN_AGENT_BATCH_AGE",
                "100ms",
                "HEADSPAN_RUN_DIR",
                directory.resolve("run").toString()));
    builder.environment().putAll(settings);
    Agent agent = new Agent(builder.start(), port);
    open.add(agent::kill);
    until(
        "the agent is ready: " + log,
        () -> {
          assertThat(agent.process().isAlive()).as(() -> read(log)).isTrue();
          return get(port, "/ready").equals("ready\n");
        });
    return agent;
  }

  private void capturesARequest(int port) {
    assertThat(get(port, "/manners")).isNotNull();
    until(
        "the request is a span",
        () ->
            collector.batches().stream()
                .anyMatch(batch -> {
                  for (int row = 0; row < batch.size(); row++) {
                    if (batch.text(batch.name(row)).equals("GET /manners")) {
                      return true;
                    }
                  }
                  return false;
                }));
  }

  private int startHttpServer() throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 16);
    server.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
    open.add(() -> server.stop(0));
    return server.getAddress().getPort();
  }

  private static Map<String, Long> capabilitiesOfThreads(long pid) throws IOException {
    Map<String, Long> capabilities = new HashMap<>();
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path thread : threads.toList()) {
        Map<String, String> status = new HashMap<>();
        for (String line : Files.readAllLines(thread.resolve("status"))) {
          String[] field = line.split(":\\s*", 2);
          status.put(field[0], field[1]);
        }
        for (String set : List.of("CapPrm", "CapEff", "CapInh", "CapAmb")) {
          capabilities.merge(
              status.getOrDefault("Name", ""),
              Long.parseUnsignedLong(status.getOrDefault(set, "0"), 16),
              (a, b) -> a | b);
        }
      }
    }
    return capabilities;
  }

  /// The threads with this niceness.
  private static Set<String> threadsOf(long pid, int niceness) {
    Set<String> found = new TreeSet<>();
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path thread : threads.toList()) {
        String stat = Files.readString(thread.resolve("stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        if (Integer.parseInt(fields[NICE_FIELD - 3]) == niceness) {
          found.add(stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')')));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return found;
  }

  /// What a process has open, by what the kernel says of its descriptors.
  private static Set<Integer> heldBy(String kind, long pid) throws IOException {
    String field = kind + "_id:";
    Set<Integer> held = new TreeSet<>();
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + pid + "/fdinfo"))) {
      for (Path descriptor : descriptors.toList()) {
        linesOf(descriptor).stream()
            .filter(line -> line.startsWith(field))
            .forEach(line -> held.add(Integer.parseInt(line.substring(field.length()).strip())));
      }
    }
    return held;
  }

  private static List<String> linesOf(Path descriptor) throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return Files.readAllLines(descriptor);
      } catch (IOException e) {
        // The descriptor was closed meanwhile, perhaps between opening its file and reading it.
        if (!Files.exists(descriptor)) {
          return List.of();
        }
        // Another one has its number by now.
        if (attempt == READS_MAX) {
          throw e;
        }
      }
    }
  }

  private static Set<Integer> all(String kind) {
    Set<Integer> all = new TreeSet<>();
    show(kind).forEach(each -> all.add(each.path("id").asInt()));
    return all;
  }

  private static JsonNode show(String kind) {
    try {
      Process process = new ProcessBuilder(BPFTOOL.toString(), "-j", kind, "show").start();
      return new ObjectMapper().readTree(process.getInputStream());
    } catch (IOException e) {
      throw new AssertionError("bpftool " + kind + " show", e);
    }
  }

  private static boolean disjoint(Set<Integer> some, Set<Integer> others) {
    return some.stream().noneMatch(others::contains);
  }

  private String get(int port, String path) {
    try {
      return client
          .send(
              HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build(),
              HttpResponse.BodyHandlers.ofString())
          .body();
    } catch (IOException e) {
      return ""; // does not listen yet
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static String read(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static void until(String what, BooleanSupplier condition) {
    until(what, Duration.ofMillis(20), condition);
  }

  private static void until(String what, Duration interval, BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as(what).isNegative();
      LockSupport.parkNanos(interval.toNanos());
    }
  }
}
