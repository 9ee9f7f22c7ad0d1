package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.net.Impairment;
import io.headspan.loadgen.net.LinkedNamespaces;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Requests to a server in a runc container, captured from the kernel and read back from
/// ClickHouse: each once, with the right trace id, parent and status.
@Tag("privileged")
final class CaptureBpfIT {
  private static final int REQUESTS = 20_000;
  private static final int PER_SECOND = 1_000;
  private static final int OUTAGE_SECONDS = Integer.getInteger("headspan.outage.seconds", 5);
  private static final String TENANT = "acme";
  private static final String FUNCTION = "items";
  private static final Duration STORED_WITHIN = Duration.ofSeconds(60);

  private static final Impairment BAD_LINK = new Impairment(1, 1, 1, 2, 20);

  @TempDir private Path directory;

  /// An invocation as stored.
  private record Stored(String traceId, String parent, String method, int status) {}

  /// For how long the collector is away: `-Dheadspan.outage.seconds`.
  @Test
  void capturesEveryInvocationOverLoopbackAndAKilledCollectorLosesNone() throws Exception {
    int requests = REQUESTS + PER_SECOND * OUTAGE_SECONDS;
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer container = RuncContainer.startHttpService(service("--host", "127.0.0.1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:" + port(container),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(requests),
                "--rate",
                Integer.toString(PER_SECOND),
                "--seed",
                "11")) {
      awaitStored(node, REQUESTS / 10);
      node.killCollector();
      // The outage is what is tested: the agent captures on and must hold what it cannot send.
      LockSupport.parkNanos(Duration.ofSeconds(OUTAGE_SECONDS).toNanos());
      node.restartCollector();
      Map<String, Traffic.Sent> sent = traffic.await(180 + OUTAGE_SECONDS);
      assertThat(sent).hasSize(requests);
      assertStored(node, sent);
      Await.until("the agent is quiet", () -> AgentBooks.of(node, TENANT).isQuiet());
      AgentBooks books = AgentBooks.of(node, TENANT);
      assertThat(books.captured()).isEqualTo(requests);
      assertThat(books.acknowledged()).isEqualTo(requests);
      assertThat(books.imbalance()).isZero();
    }
  }

  @Test
  void capturesEveryInvocationThroughLossDuplicationAndReordering() throws Exception {
    String prefix = "headspan-" + ProcessHandle.current().pid();
    try (LinkedNamespaces network = LinkedNamespaces.create(prefix, BAD_LINK);
        HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer container =
            RuncContainer.startHttpService(
                service("--host", "0.0.0.0").inNetworkNamespace(network.serverNamespace()))) {
      try (Traffic traffic =
          Traffic.start(
              directory,
              LinkedNamespaces.SERVER_ADDRESS + ":" + port(container),
              network::inClient,
              "--requests",
              Integer.toString(REQUESTS),
              "--connections",
              "64",
              "--seed",
              "12")) {
        Map<String, Traffic.Sent> sent = traffic.await(400);
        assertThat(sent).hasSize(REQUESTS);
        assertStored(node, sent);
      }
    }
  }

  private static ContainerSpec service(String... arguments) {
    List<String> all = new ArrayList<>(List.of("--port", "0"));
    all.addAll(List.of(arguments));
    return RuncContainer.httpService("headspan-it-" + ProcessHandle.current().pid(), all)
        .asFunction(TENANT, FUNCTION, "1");
  }

  private static int port(RuncContainer container) {
    return Integer.parseInt(container.readyLine().substring("ready on ".length()));
  }

  private static void assertStored(HeadspanNode node, Map<String, Traffic.Sent> sent) {
    awaitStored(node, sent.size());
    Map<String, Stored> stored = new HashMap<>();
    List<String> twice = new ArrayList<>();
    for (Stored invocation : stored(node)) {
      if (stored.put(invocation.traceId(), invocation) != null) {
        twice.add(invocation.traceId());
      }
    }
    List<String> wrong = new ArrayList<>();
    int missing = 0;
    for (Traffic.Sent request : sent.values()) {
      Stored invocation = stored.remove(request.traceId());
      if (invocation == null) {
        missing++;
      } else if (!invocation.parent().equals(request.parent())
          || !invocation.method().equals(request.method())
          || invocation.status() != request.status()) {
        wrong.add("sent " + request + ", stored " + invocation);
      }
    }
    assertThat(twice).as("stored twice").isEmpty();
    assertThat(wrong).as("stored wrongly").isEmpty();
    assertThat(missing).as("missing of " + sent.size()).isZero();
    assertThat(stored.values()).as("stored but never sent").isEmpty();
    List<Long> rolledUp =
        node.query(
            SqlQuery.of(
                    "SELECT sum(invocations) AS n FROM latency_minute WHERE tenant = {tenant:String}")
                .bind("tenant", TENANT),
            row -> row.integer(0));
    assertThat(rolledUp).as("invocations in the rollup").containsExactly((long) sent.size());
  }

  private static List<Stored> stored(HeadspanNode node) {
    return node.query(
        SqlQuery.of(
                """
                SELECT lower(hex(trace_id)) AS trace,
                       lower(leftPad(hex(parent_span_id), 16, '0')) AS parent,
                       http_method AS method, http_status AS status
                FROM spans
                WHERE tenant = {tenant:String} AND service = {service:String} AND kind = 2
                """)
            .bind("tenant", TENANT)
            .bind("service", FUNCTION),
        row -> new Stored(row.text(0), row.text(1), row.text(2), (int) row.integer(3)));
  }

  /// Waits until at least `count` invocations are stored, or the deadline passes.
  private static void awaitStored(HeadspanNode node, long count) {
    long deadlineNs = System.nanoTime() + STORED_WITHIN.toNanos();
    long found = 0;
    while (found < count && System.nanoTime() - deadlineNs < 0) {
      found =
          node.query(
                  SqlQuery.of(
                          "SELECT count() AS n FROM spans WHERE tenant = {tenant:String} AND kind = 2")
                      .bind("tenant", TENANT),
                  row -> row.integer(0))
              .getFirst();
      LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
    }
  }
}
