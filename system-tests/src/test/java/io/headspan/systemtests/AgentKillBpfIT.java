package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An agent that is killed in the middle of its work, while the collector is away: nothing of it
/// stays in the kernel, what it had spooled is stored once, what it had in memory is counted, and
/// its successor captures every connection made since. Of connections older than the successor
/// nothing is captured, and nothing wrong.
@Tag("privileged")
final class AgentKillBpfIT {
  private static final String TENANT = "kill";
  private static final int REQUESTS = 10_000;
  private static final int PER_SECOND = 500;

  /// The agent reads the kernel's ring every 50 ms, if it gets a CPU.
  private static final Duration IN_THE_RING = Duration.ofMillis(500);

  @TempDir private Path directory;

  @Test
  void explainsEveryInvocationWhenItIsKilledUnderLoad() throws Exception {
    Map<String, String> settings =
        Map.of(
            "HEADSPAN_AGENT_SPOOL_AFTER", "500ms",
            "HEADSPAN_AGENT_BATCH_AGE", "100ms",
            "HEADSPAN_AGENT_SIGNAL_INTERVAL", "1s");
    try (HeadspanNode node = HeadspanNode.start(directory, settings);
        RuncContainer container =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-kill-" + ProcessHandle.current().pid(),
                        List.of("--host", "127.0.0.1", "--port", "0"))
                    .asFunction(TENANT, "steady", "1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:" + container.readyLine().substring("ready on ".length()),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(REQUESTS),
                "--rate",
                Integer.toString(PER_SECOND),
                "--seed",
                "31")) {
      Await.until("some are stored", () -> !stored(node).isEmpty());
      node.killCollector();
      Await.until("some are spooled", () -> AgentBooks.of(node, TENANT).spooled() > PER_SECOND);
      BpfObjects objects = BpfObjects.heldBy(node.agentPid());
      long killedNs = System.nanoTime();
      node.killAgent();
      Await.until("nothing of the agent is in the kernel", objects::areGone);
      node.restartAgent();
      long backNs = System.nanoTime();
      assertThat(olderConnections(node)).isPositive();
      node.restartCollector();
      Map<String, Traffic.Sent> sent = traffic.await(120);
      Await.until(
          "the books of both are told",
          () -> Books.byBoot(node, TENANT) + ", " + AgentBooks.of(node, TENANT),
          () -> areTold(Books.byBoot(node, TENANT), AgentBooks.of(node, TENANT)));

      Map<String, Books> books = Books.byBoot(node, TENANT);
      assertThat(books.values()).allMatch(each -> each.imbalance() == 0);
      Books killed =
          books.values().stream().filter(each -> each.recovered() == 0).findFirst().orElseThrow();
      Books next =
          books.values().stream().filter(each -> each.recovered() > 0).findFirst().orElseThrow();
      assertThat(killed.spooled()).isPositive().isEqualTo(next.recovered());
      assertThat(next.dropped()).isZero();
      Map<String, String> stored = stored(node);
      // What the killed one had in memory may have come to the store without its knowing.
      assertThat((long) stored.size())
          .isBetween(
              killed.acknowledged() + next.acknowledged(),
              killed.acknowledged() + next.acknowledged() + killed.dropped());
      assertEachIsExplained(sent, stored, killedNs, backNs, killed.dropped());
    }
  }

  /// @param lost how many the books say were in the memory of the killed agent
  private static void assertEachIsExplained(
      Map<String, Traffic.Sent> sent,
      Map<String, String> stored,
      long killedNs,
      long backNs,
      long lost) {
    int missingBefore = 0;
    int inTheRing = 0;
    int newOnes = 0;
    List<Traffic.Sent> wrong = new ArrayList<>();
    for (Traffic.Sent request : sent.values()) {
      String parent = stored.get(request.traceId());
      if (parent != null && !parent.equals(request.parent())) {
        wrong.add(request);
      }
      if (request.answeredNs() < killedNs) {
        missingBefore += parent == null ? 1 : 0;
        inTheRing += request.answeredNs() > killedNs - IN_THE_RING.toNanos() ? 1 : 0;
      } else if (request.connectedNs() < killedNs && request.sentNs() > killedNs) {
        // Its connection was older than any agent that could have seen it.
        if (parent != null) {
          wrong.add(request);
        }
      } else if (request.connectedNs() > backNs) {
        newOnes++;
        if (parent == null) {
          wrong.add(request);
        }
      }
    }
    assertThat(wrong).as("killed at %d, back at %d", killedNs, backNs).isEmpty();
    assertThat(newOnes).as("requests on new connections").isGreaterThan(REQUESTS / 20);
    assertThat(missingBefore)
        .as("missing of those before the kill, of which %d were in memory", lost)
        .isLessThanOrEqualTo((int) lost + inTheRing);
    assertThat(sent.keySet()).as("stored but never sent").containsAll(stored.keySet());
  }

  private static boolean areTold(Map<String, Books> books, AgentBooks now) {
    return books.size() == 2
        && now.isQuiet()
        && books.values().stream()
            .anyMatch(each ->
                each.recovered() > 0
                    && each.captured() == now.captured()
                    && each.acknowledged() == now.acknowledged());
  }

  private static double olderConnections(HeadspanNode node) {
    String name = "headspan_agent_probe_http_total{counter=\"older_connections\"} ";
    return node.agentMetrics()
        .lines()
        .filter(line -> line.startsWith(name))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length())))
        .sum();
  }

  /// Parent by trace id; fails if an invocation is stored twice.
  private static Map<String, String> stored(HeadspanNode node) {
    Map<String, String> stored = new HashMap<>();
    node.query(
            SqlQuery.of(
                    """
                    SELECT lower(hex(trace_id)), lower(leftPad(hex(parent_span_id), 16, '0'))
                    FROM spans WHERE tenant = {tenant:String} AND kind = 2
                    """)
                .bind("tenant", TENANT),
            row -> Map.entry(row.text(0), row.text(1)))
        .forEach(entry -> assertThat(stored.put(entry.getKey(), entry.getValue())).isNull());
    return stored;
  }
}
