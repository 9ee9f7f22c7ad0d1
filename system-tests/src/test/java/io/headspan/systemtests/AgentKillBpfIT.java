package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An agent that is killed in the middle of its work, while the collector is away: nothing of it
/// stays in the kernel, what it had spooled is stored once, what it had in memory is counted, and
/// its successor captures every connection made since. Of connections older than the successor
/// nothing is captured, and nothing wrong. Each request is accounted for, by when it was made and
/// what the books of both say.
@Tag("privileged")
final class AgentKillBpfIT {
  private static final String TENANT = "kill";
  private static final int REQUESTS = 10_000;
  private static final int PER_SECOND = 500;

  /// The longest beat at which the agent reads the kernel's ring (docs/delivery.md): what was
  /// answered before that was in the books.
  private static final Duration IN_THE_RING = Duration.ofMillis(50);

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
      long goneNs = System.nanoTime();
      Await.until("nothing of the agent is in the kernel", objects::areGone);
      node.restartAgent();
      long backNs = System.nanoTime();
      double olderConnections = olderConnections(node);
      node.restartCollector();
      Map<String, Traffic.Sent> sent = traffic.await(120);
      Await.until(
          "the books of both are told",
          () -> Books.byBoot(node, TENANT) + ", " + AgentBooks.of(node, TENANT),
          () -> areTold(Books.byBoot(node, TENANT), AgentBooks.of(node, TENANT)));

      Map<String, Books> books = Books.byBoot(node, TENANT);
      assertThat(books.values()).allMatch(each -> each.imbalance() == 0);
      Map.Entry<String, Books> killedBoot =
          books.entrySet().stream()
              .filter(each -> each.getValue().recovered() == 0)
              .findFirst()
              .orElseThrow();
      Books killed = killedBoot.getValue();
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
      Account account = Account.of(sent, stored, killedNs, goneNs, backNs);
      long pending = pendingWhenKilled(node, killedBoot.getKey());
      assertThat(sent.keySet()).as("stored but never sent").containsAll(stored.keySet());
      assertThat(account.wrong())
          .as("killed at %d, gone at %d, back at %d", killedNs, goneNs, backNs)
          .isEmpty();
      assertThat(account.onNewConnections())
          .as("requests on new connections")
          .isGreaterThan(REQUESTS / 20);
      assertThat(account.onOlderConnections())
          .as("connections that were older than the successor")
          .isPositive()
          .isLessThanOrEqualTo((long) olderConnections);
      assertThat(account.missing())
          .as("missing of those before the kill, %s, %s, pending=%d", account, killed, pending)
          .isLessThanOrEqualTo(killed.dropped() + pending + account.inTheRing());
      assertThat(killed.captured())
          .as("captured by the killed agent, %s, pending=%d", account, pending)
          .isBetween(
              account.answeredBefore() - account.inTheRing() - pending,
              account.answeredBefore() + account.underWay());
      assertThat(next.captured())
          .as("captured by its successor, %s", account)
          .isEqualTo(account.storedOfGap() + account.onNewConnections());
    }
  }

  /// What became of the requests.
  ///
  /// @param answeredBefore the kill
  /// @param missing of those, how many are not stored
  /// @param inTheRing of those, how many were answered so shortly before that they may not have
  ///   been read
  /// @param underWay answered while the agent was being killed, or sent before and answered after
  /// @param onOlderConnections how many connections, made before the successor captured, carried
  ///   requests that it did not see
  /// @param storedOfGap stored requests of connections that were made while there was no agent, or
  ///   its successor was starting
  /// @param onNewConnections requests of connections that were made since
  /// @param wrong stored with another parent, missing without a reason, or stored though nobody can
  ///   have seen them
  private record Account(
      long answeredBefore,
      long missing,
      long inTheRing,
      long underWay,
      long onOlderConnections,
      long storedOfGap,
      long onNewConnections,
      List<Traffic.Sent> wrong) {

    static Account of(
        Map<String, Traffic.Sent> sent,
        Map<String, String> stored,
        long killedNs,
        long goneNs,
        long backNs) {
      long answeredBefore = 0;
      long missing = 0;
      long inTheRing = 0;
      long underWay = 0;
      long storedOfGap = 0;
      long onNewConnections = 0;
      Set<Long> older = new HashSet<>();
      List<Traffic.Sent> wrong = new ArrayList<>();
      for (Traffic.Sent request : sent.values()) {
        String parent = stored.get(request.traceId());
        if (parent != null && !parent.equals(request.parent())) {
          wrong.add(request);
        }
        if (parent == null && request.connectedNs() < backNs && request.sentNs() > backNs) {
          older.add(request.connectedNs());
        }
        if (request.answeredNs() < killedNs) {
          answeredBefore++;
          missing += parent == null ? 1 : 0;
          inTheRing += request.answeredNs() > killedNs - IN_THE_RING.toNanos() ? 1 : 0;
        } else if (request.sentNs() < goneNs) {
          underWay++;
        } else if (request.connectedNs() < killedNs) {
          // Its connection was older than any agent that could have seen it.
          if (parent != null) {
            wrong.add(request);
          }
        } else if (request.connectedNs() < backNs) {
          storedOfGap += parent == null ? 0 : 1;
        } else {
          onNewConnections++;
          if (parent == null) {
            wrong.add(request);
          }
        }
      }
      return new Account(
          answeredBefore,
          missing,
          inTheRing,
          underWay,
          older.size(),
          storedOfGap,
          onNewConnections,
          wrong);
    }

    @Override
    public String toString() {
      return "Account[answeredBefore=%d, missing=%d, inTheRing=%d, underWay=%d, storedOfGap=%d]"
          .formatted(answeredBefore, missing, inTheRing, underWay, storedOfGap);
    }
  }

  /// Exchanges that the killed agent had read and whose tenant it had not settled.
  private static long pendingWhenKilled(HeadspanNode node, String boot) {
    return node.query(
            SqlQuery.of(
                    """
                    SELECT toInt64(sum(spans)) FROM node_ledger
                    WHERE tenant = '' AND state = 'dropped' AND reason = 'killed'
                      AND boot = {boot:String}
                      AND sequence = (SELECT max(sequence) FROM node_ledger
                                      WHERE boot = {boot:String})
                    """)
                .bind("boot", boot),
            row -> row.integer(0))
        .getFirst();
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
