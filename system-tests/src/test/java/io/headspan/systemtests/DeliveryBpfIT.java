package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A collector that is killed, an agent that is killed while it spools, both started again: every
/// invocation is in the store once, and the ledger in the store says where each was.
@Tag("privileged")
final class DeliveryBpfIT {
  private static final int REQUESTS = 5_000;
  private static final String TENANT = "globex";
  private static final Duration WITHIN = Duration.ofSeconds(90);

  @TempDir private Path directory;

  /// One start of the agent, by the last ledger it told, or the next one for it.
  private record Books(
      long recovered,
      long captured,
      long acknowledged,
      long inMemory,
      long spooled,
      long dropped) {}

  @Test
  void losesNothingWhenCollectorAndAgentAreKilled() throws Exception {
    Map<String, String> settings =
        Map.of(
            "HEADSPAN_AGENT_SPOOL_AFTER", "500ms",
            "HEADSPAN_AGENT_QUEUE_BATCHES", "8",
            "HEADSPAN_AGENT_BATCH_AGE", "100ms",
            "HEADSPAN_AGENT_SIGNAL_INTERVAL", "1s");
    try (HeadspanNode node = HeadspanNode.start(directory, settings);
        RuncContainer container =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-it-delivery-" + ProcessHandle.current().pid(),
                        List.of("--port", "0", "--host", "127.0.0.1"))
                    .asFunction(TENANT, "orders", "1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:"
                    + Integer.parseInt(container.readyLine().substring("ready on ".length())),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(REQUESTS),
                "--rate",
                "500",
                "--seed",
                "21")) {
      until("a part is stored", () -> spans(node) > REQUESTS / 10);
      node.killCollector();
      Map<String, Traffic.Sent> sent = traffic.await(120);
      assertThat(sent).hasSize(REQUESTS);
      until("all is in the spool", () -> isSpooled(node));
      node.killAgent();
      node.restartAgent();
      node.restartCollector();
      until("all is stored", () -> spans(node) >= REQUESTS);
      until(
          "the books are told",
          () -> {
            Map<String, Books> books = books(node);
            return books.size() == 2
                && books.values().stream().allMatch(each -> each.inMemory() == 0)
                && books.values().stream()
                    .anyMatch(
                        each -> each.recovered() > 0 && each.acknowledged() == each.recovered());
          });
      assertThat(spans(node)).isEqualTo(REQUESTS);
      assertThat(distinctSpans(node)).isEqualTo(REQUESTS);
      Map<String, Books> books = books(node);
      Books killed =
          books.values().stream().filter(each -> each.captured() > 0).findFirst().orElseThrow();
      Books restarted =
          books.values().stream().filter(each -> each.recovered() > 0).findFirst().orElseThrow();
      assertThat(killed.captured()).isEqualTo(REQUESTS);
      assertThat(killed.acknowledged() + killed.spooled()).isEqualTo(REQUESTS);
      assertThat(killed.spooled()).isGreaterThan(REQUESTS / 2);
      assertThat(killed.dropped()).isZero();
      assertThat(restarted).isEqualTo(new Books(killed.spooled(), 0, killed.spooled(), 0, 0, 0));
    }
  }

  private static boolean isSpooled(HeadspanNode node) {
    String metrics;
    try {
      metrics = node.agentMetrics();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    return metric(metrics, "headspan_ledger_captured_spans_total") == REQUESTS
        && metric(metrics, "headspan_ledger_in_memory_spans") == 0;
  }

  private static double metric(String metrics, String name) {
    Matcher line =
        Pattern.compile("(?m)^" + name + "\\{tenant=\"" + TENANT + "\"} (\\S+)$").matcher(metrics);
    return line.find() ? Double.parseDouble(line.group(1)) : -1;
  }

  private static long spans(HeadspanNode node) {
    return number(node, "SELECT count() FROM spans WHERE tenant = {tenant:String} AND kind = 2");
  }

  private static long distinctSpans(HeadspanNode node) {
    return number(
        node, "SELECT uniqExact(span_id) FROM spans WHERE tenant = {tenant:String} AND kind = 2");
  }

  private static long number(HeadspanNode node, String sql) {
    return node.query(SqlQuery.of(sql).bind("tenant", TENANT), row -> row.integer(0)).getFirst();
  }

  private static Map<String, Books> books(HeadspanNode node) {
    Map<String, Books> books = new HashMap<>();
    node.query(
            SqlQuery.of(
                    """
                    SELECT boot,
                      toInt64(sumIf(spans, state = 'recovered')),
                      toInt64(sumIf(spans, state = 'captured')),
                      toInt64(sumIf(spans, state = 'acknowledged')),
                      toInt64(sumIf(spans, state = 'in_memory')),
                      toInt64(sumIf(spans, state = 'spooled')),
                      toInt64(sumIf(spans, state = 'dropped'))
                    FROM node_ledger
                    WHERE tenant = {tenant:String}
                      AND (boot, sequence) IN
                        (SELECT boot, max(sequence) FROM node_ledger GROUP BY boot)
                    GROUP BY boot
                    """)
                .bind("tenant", TENANT),
            row ->
                Map.entry(
                    row.text(0),
                    new Books(
                        row.integer(1),
                        row.integer(2),
                        row.integer(3),
                        row.integer(4),
                        row.integer(5),
                        row.integer(6))))
        .forEach(entry -> books.put(entry.getKey(), entry.getValue()));
    return books;
  }

  private static void until(String what, BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + WITHIN.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("too late: %s", what).isNegative();
      LockSupport.parkNanos(Duration.ofMillis(100).toNanos());
    }
  }
}
