package io.headspan.agent.interference;

import static org.assertj.core.api.Assertions.assertThat;

import com.linecorp.armeria.client.WebClient;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.Server;
import com.sun.management.OperatingSystemMXBean;
import io.headspan.agent.interference.AccountedNode.Accounted;
import io.headspan.agent.interference.InvocationAccount.Scope;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.TestCgroup;
import io.headspan.agent.probe.sched.SchedCounter;
import io.headspan.loadgen.http.HttpConnection;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.wire.http.AcceptLoop;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Time accounts against ground truth: real containers pinned to one CPU, measured from outside.
@Tag("privileged")
class TimeAccountsBpfIT {
  private static final String CPU = "1";
  private static final long OWN_PID = ProcessHandle.current().pid();
  private static final Percentage TENTH = Percentage.withPercentage(10);

  /// A tenth of it is more than the 5 ms that a thread keeps to itself.
  private static final long BURN_NS = 60_000_000;

  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final List<AutoCloseable> open = new ArrayList<>();
  private AccountedNode node;

  /// How long each burning took by CLOCK_MONOTONIC, with what interrupted it.
  private final Queue<Long> burningNs = new ConcurrentLinkedQueue<>();

  @BeforeEach
  void start() {
    node = new AccountedNode();
    open.add(node);
  }

  @AfterEach
  void closeAll() throws Exception {
    while (!open.isEmpty()) {
      open.removeLast().close();
    }
  }

  @Test
  void saysWhatANeighbourOnTheSameProcessorTook() throws Exception {
    RuncContainer victim = startService("victim", "--threads", "1");
    node.watch(victim, "acme");
    RuncContainer neighbour = startSpinner("noisy");
    node.watch(neighbour, "noisy");
    Path usage = AccountedNode.controller("cpuacct", neighbour.id()).resolve("cpuacct.usage");
    try (HttpConnection connection = connect(victim)) {
      warmUp(connection);

      long usageBefore = readNumber(usage);
      long sentNs = System.nanoTime();
      get(connection, "/work?cpu=400000");
      long latencyNs = System.nanoTime() - sentNs;
      long neighbourNs = readNumber(usage) - usageBefore;

      InvocationAccount account = node.next(isPath("/work")).account();
      assertThat(account.scope()).isEqualTo(Scope.THREAD);
      assertThat(account.culprit()).map(InvocationAccount.Wait::culprit).contains("noisy");
      assertThat(account.cpuNs()).isCloseTo(400_000_000L, TENTH);
      assertThat(waitNs(account, "noisy")).isCloseTo(neighbourNs, TENTH);
      // Whatever made it late: the neighbour, and perhaps others on this machine.
      long delayNs = latencyNs - account.cpuNs();
      assertThat(account.stolenNs()).isCloseTo(delayNs, TENTH);
      assertThat(account.throttledNs()).isZero();
    }
    assertIdentityOnceGone(victim, "acme");
  }

  @Test
  void doesNotCallAThrottledContainerAVictim() throws Exception {
    ContainerSpec spec = service("throttled", "--threads", "1").withCpuQuota(Duration.ofMillis(20));
    RuncContainer throttled = start(spec);
    node.watch(throttled, "thrifty");
    Path statistics = AccountedNode.controller("cpu", throttled.id()).resolve("cpu.stat");
    try (HttpConnection connection = connect(throttled)) {
      warmUp(connection);

      long throttledBefore = throttledOnceQuiet(statistics);
      long waitedBefore = runQueueWaitNs(throttled);
      get(connection, "/work?cpu=150000");
      long throttledNs = readNumber(statistics, "throttled_time") - throttledBefore;
      long waitedNs = runQueueWaitNs(throttled) - waitedBefore;

      InvocationAccount account = node.next(isPath("/work")).account();
      assertThat(throttledNs).isGreaterThan(100_000_000L);
      assertThat(account.throttledNs()).isCloseTo(throttledNs, TENTH);
      // Other work on this machine may have had the processor too; no tenant had.
      long machineNs =
          waitNs(account, TenantNumbers.HOST)
              + waitNs(account, TenantNumbers.KERNEL)
              + waitNs(account, TenantNumbers.UNKNOWN);
      assertThat(account.stolenNs() - machineNs).isZero();
      // That is how long the kernel says that it waited for one, and nothing of the quota's time.
      assertThat(account.stolenNs()).isLessThanOrEqualTo(waitedNs + waitedNs / 10 + 1_000_000);
    }
    assertIdentityOnceGone(throttled, "thrifty");
  }

  @Test
  void measuresHowLongARequestWaitedForABusyServer() throws Exception {
    RuncContainer server = startService("busy", "--threads", "1");
    node.watch(server, "acme");
    try (HttpConnection first = connect(server);
        HttpConnection second = connect(server)) {
      warmUp(first);
      warmUp(second);
      CompletableFuture<Void> busy =
          CompletableFuture.runAsync(() -> {
            try {
              get(first, "/long?sleep=300");
            } catch (IOException e) {
              throw new IllegalStateException(e);
            }
          });
      // The pace of this load: the second comes while the first is served.
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
      long sentNs = System.nanoTime();
      get(second, "/short");
      long latencyNs = System.nanoTime() - sentNs;
      busy.get();

      Accounted behind = node.next(isPath("/short"));
      assertThat(latencyNs).isGreaterThan(100_000_000L);
      assertThat(behind.account().queueNs()).isCloseTo(latencyNs, TENTH);
      InvocationAccount slept =
          node.all().stream()
              .filter(each -> isPath("/long").test(each.exchange()))
              .findFirst()
              .orElseThrow()
              .account();
      assertThat(slept.blockedNs()).isCloseTo(300_000_000L, TENTH);
      assertThat(slept.queueNs()).isLessThan(50_000_000L);
    }
    assertIdentityOnceGone(server, "acme");
  }

  @Test
  void countsTheThreadsToWhichARequestIsHandedOn() throws Exception {
    TestCgroup cgroup = new TestCgroup();
    open.add(cgroup);
    node.watch(cgroup.id(), "acme");
    ExecutorService workers = Executors.newSingleThreadExecutor();
    open.add(workers);
    Server server =
        Server.builder()
            .bossGroupFactory(AcceptLoop::start)
            .http(new InetSocketAddress("127.0.0.1", 0))
            .service("/loop", (_, _) -> answerAfterBurning())
            .service(
                "/handed-on",
                (_, _) ->
                    HttpResponse.of(
                        CompletableFuture.supplyAsync(this::answerAfterBurning, workers)))
            .build();
    open.add(server);
    server.start().join();
    for (String protocol : List.of("h1c", "h2c")) {
      WebClient client = WebClient.of(protocol + "://127.0.0.1:" + server.activeLocalPort());
      for (int i = 0; i < 3; i++) {
        client.get("/loop").aggregate().join();
        node.next(isPath("/loop"));
        client.get("/handed-on").aggregate().join();
        node.next(isPath("/handed-on"));
      }
      burningNs.clear();
      long cpuBefore = processCpuNs();
      client.get("/loop").aggregate().join();
      client.get("/handed-on").aggregate().join();
      long cpuNs = processCpuNs() - cpuBefore;

      InvocationAccount loop = node.next(isPath("/loop")).account();
      InvocationAccount handedOn = node.next(isPath("/handed-on")).account();
      if (protocol.equals("h2c")) {
        assertThat(loop.scope()).isNotEqualTo(Scope.THREAD);
      }
      // The scheduler's clock measured the burning, CLOCK_MONOTONIC the account.
      long atLeastNs = BURN_NS * 9 / 10;
      String what = protocol + ": burnt " + BURN_NS + " ns within " + burningNs + " ns, ";
      assertThat(loop.cpuNs()).as(what + loop).isBetween(atLeastNs, cpuNs);
      assertThat(handedOn.scope()).as(protocol).isEqualTo(Scope.CGROUP);
      assertThat(handedOn.cpuNs()).as(what + handedOn).isBetween(atLeastNs, cpuNs);
      assertThat(handedOn.blockedNs()).isNull();
    }
  }

  private static long processCpuNs() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
  }

  private HttpResponse answerAfterBurning() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long startNs = System.nanoTime();
    long end = threads.getCurrentThreadCpuTime() + BURN_NS;
    while (threads.getCurrentThreadCpuTime() < end) {
      Thread.onSpinWait();
    }
    burningNs.add(System.nanoTime() - startNs);
    return HttpResponse.of(200);
  }

  @Test
  void canBeSwitchedOffWhileItRuns() throws Exception {
    RuncContainer server = startService("off", "--threads", "1");
    node.watch(server, "acme");
    try (HttpConnection connection = connect(server)) {
      warmUp(connection);
      node.onWorker(() -> node.accounts.switchOff("too much work"));
      assertThat(node.accounts.offReason()).contains("too much work");
      assertThat(node.accounts.matrix().cells()).isNotEmpty();
      int before = node.all().size();
      get(connection, "/after");
      // Without an account it is handed on at once.
      node.onWorker(() -> {});
      node.onWorker(() -> {});
      assertThat(node.all()).hasSize(before);
    }
  }

  /// The kernel adds a throttling when it is over, so one that the warm-up caused has to be.
  private static long throttledOnceQuiet(Path statistics) throws IOException {
    long deadlineNs = System.nanoTime() + TIMEOUT.toNanos();
    long before = -1;
    long now = readNumber(statistics, "throttled_time");
    while (now != before) {
      assertThat(System.nanoTime()).isLessThan(deadlineNs);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(250));
      before = now;
      now = readNumber(statistics, "throttled_time");
    }
    return now;
  }

  private void awaitReading() throws Exception {
    long deadlineNs = System.nanoTime() + TIMEOUT.toNanos();
    long fromNs = System.nanoTime();
    while (node.accounts.matrix().timeNs() <= fromNs) {
      assertThat(System.nanoTime()).isLessThan(deadlineNs);
      node.onWorker(() -> {});
    }
  }

  /// Every nanosecond of the victim's row is in the account of an invocation or unassigned.
  private void assertIdentityOnceGone(RuncContainer victim, String tenant) throws Exception {
    open.remove(victim);
    victim.close();
    // The kernel's open records leave when their threads end; then everything is here.
    awaitReading();
    node.onWorker(() -> {});
    Map<String, Long> matrix = row(node.accounts.matrix(), tenant);
    Map<String, Long> sum = new TreeMap<>();
    Map<String, Long> held = new TreeMap<>();
    node.onWorker(() -> {
      node.accounts.flush();
      row(node.accounts.unassignedNow(), tenant).forEach((c, ns) -> sum.merge(c, ns, Long::sum));
      held.putAll(row(node.accounts.held(), tenant));
    });
    // All invocations have ended: nothing is between matrix and spans any more.
    assertThat(held).isEmpty();
    awaitReading();
    assertThat(row(node.accounts.unassigned(), tenant)).isEqualTo(sum);
    for (Accounted each : node.all()) {
      if (each.account().tenant().equals(tenant)) {
        each.account().waits().forEach(wait -> sum.merge(wait.culprit(), wait.ns(), Long::sum));
      }
    }
    assertThat(matrix).isNotEmpty();
    sum.values().removeIf(ns -> ns == 0);
    assertThat(sum).isEqualTo(matrix);
    assertThat(node.accounts.count(SchedCounter.RECORDS_REFUSED)).isZero();
    assertThat(node.accounts.count(SchedCounter.WAITS_NOT_CHARGED)).isZero();
  }

  private static Map<String, Long> row(MatrixSnapshot matrix, String victim) {
    Map<String, Long> row = new TreeMap<>();
    for (MatrixSnapshot.Cell cell : matrix.cells()) {
      if (cell.victim().equals(victim) && cell.waitNs() != 0) {
        row.merge(cell.culprit(), cell.waitNs(), Long::sum);
      }
    }
    return row;
  }

  private static Predicate<HttpExchange> isPath(String path) {
    return exchange ->
        new String(exchange.requestHead(), StandardCharsets.ISO_8859_1).startsWith("GET " + path);
  }

  private static long waitNs(InvocationAccount account, String culprit) {
    return account.waits().stream()
        .filter(wait -> wait.culprit().equals(culprit))
        .mapToLong(InvocationAccount.Wait::ns)
        .sum();
  }

  private static ContainerSpec service(String name, String... arguments) {
    return RuncContainer.httpService("hs-acc-" + name + "-" + OWN_PID, List.of(arguments))
        .onCpus(CPU);
  }

  private RuncContainer startService(String name, String... arguments) {
    return start(service(name, arguments));
  }

  private RuncContainer start(ContainerSpec spec) {
    RuncContainer container = RuncContainer.startHttpService(spec);
    open.add(container);
    return container;
  }

  private RuncContainer startSpinner(String name) {
    ContainerSpec spec =
        ContainerSpec.of(
                "hs-acc-" + name + "-" + OWN_PID,
                List.of("/bin/sh", "-c", "echo ready; while :; do :; done"))
            .onCpus(CPU);
    RuncContainer container = RuncContainer.start(spec, "ready"::equals, TIMEOUT);
    open.add(container);
    return container;
  }

  private static HttpConnection connect(RuncContainer container) throws IOException {
    int port = Integer.parseInt(container.readyLine().substring("ready on ".length()));
    return HttpConnection.open(new InetSocketAddress("127.0.0.1", port), TIMEOUT);
  }

  /// Loads the classes of the service and of this test.
  private void warmUp(HttpConnection connection) throws IOException, InterruptedException {
    for (int i = 0; i < 5; i++) {
      get(connection, "/warm?cpu=500");
      node.next(isPath("/warm"));
    }
  }

  private static void get(HttpConnection connection, String path) throws IOException {
    connection.send(HttpConnection.request("GET", path, "h", ""));
    assertThat(connection.readResponse(false)).isEqualTo(200);
  }

  /// How long the threads of a container were runnable without running.
  private static long runQueueWaitNs(RuncContainer container) throws IOException {
    long waitNs = 0;
    Path tasks = AccountedNode.controller("cpu", container.id()).resolve("tasks");
    for (String thread : Files.readAllLines(tasks)) {
      waitNs +=
          Long.parseLong(Files.readString(Path.of("/proc", thread, "schedstat")).split(" ", -1)[1]);
    }
    return waitNs;
  }

  private static long readNumber(Path file) throws IOException {
    return Long.parseLong(Files.readString(file).strip());
  }

  private static long readNumber(Path file, String key) throws IOException {
    return Files.readAllLines(file).stream()
        .filter(line -> line.startsWith(key + " "))
        .mapToLong(line -> Long.parseLong(line.substring(key.length() + 1)))
        .findFirst()
        .orElseThrow();
  }
}
