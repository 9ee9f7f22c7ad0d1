package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Containers that come and go by the hundreds while another one serves and the collector is away
/// for a minute: every invocation of theirs is captured once, as that of the right container, with
/// its cold start; the load beside them loses nothing; the books say so; and of the agent nothing
/// is left.
@Tag("privileged")
final class ContainerChurnBpfIT {
  private static final int CONTAINERS = Integer.getInteger("headspan.churn", 500);
  private static final int AT_ONCE = 3;
  private static final int REQUESTS_EACH = 2;

  /// One in so many may stay unknown: the agent need not get a CPU while a container's state is
  /// there (docs/agent.md).
  private static final int CONTAINERS_PER_UNKNOWN = 100;

  private static final String NO_TENANT = "{none}";

  private static final int LOAD_PER_SECOND = 200;
  private static final int LOAD_REQUESTS = 20 * CONTAINERS;
  private static final long TRAFFIC_WITHIN_SECONDS = 60L + LOAD_REQUESTS / LOAD_PER_SECOND;
  private static final Duration OUTAGE = Duration.ofSeconds(60);
  private static final String TENANT = "churn";
  private static final Duration START_WITHIN = Duration.ofSeconds(20);
  private static final String TRACE_PREFIX = "00000000000ab5c0";

  @TempDir private Path directory;
  private final AtomicInteger nextContainer = new AtomicInteger();

  /// An invocation as stored.
  private record Stored(
      String tenant, String service, String instance, int status, boolean coldStart) {}

  @Test
  void knowsEveryInvocationOfContainersThatLiveForAMoment() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer steady =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-steady-" + ProcessHandle.current().pid(),
                        List.of("--host", "127.0.0.1", "--port", "0"))
                    .asFunction(TENANT, "steady", "1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:" + steady.readyLine().substring("ready on ".length()),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(LOAD_REQUESTS),
                "--rate",
                Integer.toString(LOAD_PER_SECOND),
                "--seed",
                "21")) {
      BpfObjects objects = BpfObjects.heldBy(node.agentPid());
      // As agents are on nodes: its code has been loaded.
      Await.until(
          "the load is captured", () -> AgentBooks.of(node, TENANT).captured() > LOAD_PER_SECOND);
      node.killCollector();
      long awaySinceNs = System.nanoTime();
      Map<String, String> expected = churn();
      assertThat(expected).hasSize(CONTAINERS * REQUESTS_EACH);
      Map<String, Traffic.Sent> sent = traffic.await(TRAFFIC_WITHIN_SECONDS);
      assertThat(AgentBooks.of(node, TENANT).spooled()).as("held on the disk").isPositive();
      // The outage is what is tested; the churn takes most of it.
      LockSupport.parkNanos(awaySinceNs + OUTAGE.toNanos() - System.nanoTime());
      node.restartCollector();

      Await.until(
          "all is captured and stored",
          () -> AgentBooks.of(node, TENANT) + "\n" + node.agentMetrics(),
          () ->
              AgentBooks.of(node, TENANT).isQuiet()
                  && stored(node).size() >= expected.size() + sent.size());
      Map<String, Stored> stored = stored(node);
      assertLoad(sent, stored);
      long unknown = assertShortOnes(expected, stored, node);
      assertThat(stored).as("stored but never sent").isEmpty();

      AgentBooks books = AgentBooks.of(node, TENANT);
      assertThat(books.captured()).isEqualTo((long) expected.size() + sent.size() - unknown);
      assertThat(books.acknowledged()).isEqualTo(books.captured());
      assertThat(books.dropped()).isEmpty();
      assertThat(books.imbalance()).isZero();
      // Beside unknown ones, what else on this machine speaks HTTP and is of no tenant.
      Await.until(
          "books without tenant are those of the store",
          () -> AgentBooks.of(node, NO_TENANT) + ", stored " + storedWithoutTenant(node),
          () -> agrees(AgentBooks.of(node, NO_TENANT), storedWithoutTenant(node)));

      node.stopAgent();
      Await.until("nothing of the agent is in the kernel", objects::areGone);
    }
  }

  /// Returns how many invocations have no identity.
  private static long assertShortOnes(
      Map<String, String> expected, Map<String, Stored> stored, HeadspanNode node) {
    Map<String, Integer> coldStarts = new HashMap<>();
    Set<String> unknown = new TreeSet<>();
    long unknownInvocations = 0;
    List<String> wrong = new ArrayList<>();
    for (Map.Entry<String, String> each : expected.entrySet()) {
      String container = each.getValue();
      Stored invocation = stored.remove(each.getKey());
      if (invocation == null || invocation.status() != 404) {
        wrong.add(container + ": " + invocation);
      } else if (invocation.tenant().isEmpty()) {
        unknown.add(container);
        unknownInvocations++;
      } else if (!invocation.service().equals("short")
          || !invocation.instance().equals(container)) {
        wrong.add(container + ": " + invocation);
      } else {
        coldStarts.merge(container, invocation.coldStart() ? 1 : 0, Integer::sum);
      }
    }
    assertThat(wrong)
        .as("missing or wrong, of short containers; the agent says: %s", node.agentMetrics())
        .isEmpty();
    assertThat(coldStarts.values()).as("cold starts by container").containsOnly(1);
    assertThat(unknownInvocations)
        .as("of a container all or nothing is unknown: %s", unknown)
        .isEqualTo((long) unknown.size() * REQUESTS_EACH);
    assertThat(unknown).hasSizeLessThanOrEqualTo(CONTAINERS / CONTAINERS_PER_UNKNOWN);
    assertThat(notContainers(node))
        .as("counted as of no container, of which are %s", unknown)
        .isGreaterThanOrEqualTo(unknown.size());
    return unknownInvocations;
  }

  private static boolean agrees(AgentBooks books, long stored) {
    return books.isQuiet()
        && books.imbalance() == 0
        && books.acknowledged() == stored
        && books.captured() == stored + books.lost();
  }

  private static long storedWithoutTenant(HeadspanNode node) {
    return node.query(
            SqlQuery.of("SELECT count() AS n FROM spans WHERE tenant = ''"), row -> row.integer(0))
        .getFirst();
  }

  private static double notContainers(HeadspanNode node) {
    String name = "headspan_agent_identities_total{outcome=\"no_container\"} ";
    return node.agentMetrics()
        .lines()
        .filter(line -> line.startsWith(name))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length())))
        .sum();
  }

  private static void assertLoad(Map<String, Traffic.Sent> sent, Map<String, Stored> stored) {
    List<String> wrong = new ArrayList<>();
    for (Traffic.Sent request : sent.values()) {
      Stored invocation = stored.remove(request.traceId());
      if (invocation == null
          || !invocation.service().equals("steady")
          || invocation.status() != request.status()) {
        wrong.add(request + ": " + invocation);
      }
    }
    assertThat(wrong).as("missing or wrong, of the load").isEmpty();
  }

  /// Gives the container by the trace id of each request.
  private Map<String, String> churn() throws Exception {
    Map<String, String> all = new HashMap<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE)) {
      List<Future<Map<String, String>>> parts = new ArrayList<>();
      for (int i = 0; i < AT_ONCE; i++) {
        parts.add(threads.submit(this::churnAlone));
      }
      for (Future<Map<String, String>> part : parts) {
        all.putAll(part.get());
      }
    }
    return all;
  }

  private Map<String, String> churnAlone() throws IOException {
    Map<String, String> requests = new HashMap<>();
    for (int i = nextContainer.getAndIncrement();
        i < CONTAINERS;
        i = nextContainer.getAndIncrement()) {
      String id = "headspan-short-" + ProcessHandle.current().pid() + "-" + i;
      int port = freePort();
      ContainerSpec spec =
          ContainerSpec.of(
                  id,
                  List.of(
                      "/bin/busybox",
                      "sh",
                      "-c",
                      "echo up; exec /bin/busybox httpd -f -h /tmp -p 127.0.0.1:" + port))
              .asFunction(TENANT, "short", "1");
      try (RuncContainer _ = RuncContainer.start(spec, "up"::equals, START_WITHIN)) {
        for (int j = 0; j < REQUESTS_EACH; j++) {
          String traceId = TRACE_PREFIX + "%016x".formatted(1 + (long) i * REQUESTS_EACH + j);
          get(port, traceId);
          requests.put(traceId, id);
        }
      }
    }
    return requests;
  }

  /// Sends a request as soon as there is somebody to take it.
  private static void get(int port, String traceId) throws IOException {
    long deadlineNs = System.nanoTime() + START_WITHIN.toNanos();
    while (true) {
      try (Socket socket = new Socket("127.0.0.1", port)) {
        socket
            .getOutputStream()
            .write(
                ("GET /nothing HTTP/1.0\r\ntraceparent: 00-"
                        + traceId
                        + "-00000000000000c1-01\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
        InputStream answer = socket.getInputStream();
        assertThat(new String(answer.readAllBytes(), StandardCharsets.US_ASCII))
            .startsWith("HTTP/1.1 404");
        return;
      } catch (ConnectException e) {
        if (System.nanoTime() - deadlineNs > 0) {
          throw e;
        }
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static Map<String, Stored> stored(HeadspanNode node) {
    Map<String, Stored> stored = new HashMap<>();
    node.query(
            SqlQuery.of(
                    """
                    SELECT lower(hex(trace_id)), toString(tenant), toString(service), instance,
                           http_status, toUInt8(faas_coldstart)
                    FROM spans ANY LEFT JOIN
                        (SELECT fp, any(instance) AS instance FROM resources GROUP BY fp) AS r
                        ON spans.resource_fp = r.fp
                    WHERE kind = 2
                      AND (tenant = {tenant:String} OR startsWith(trace_id, unhex({prefix:String})))
                    """)
                .bind("tenant", TENANT)
                .bind("prefix", TRACE_PREFIX),
            row ->
                Map.entry(
                    row.text(0),
                    new Stored(
                        row.text(1),
                        row.text(2),
                        row.text(3),
                        (int) row.integer(4),
                        row.integer(5) != 0)))
        .forEach(entry -> assertThat(stored.put(entry.getKey(), entry.getValue())).isNull());
    return stored;
  }
}
