package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A collector that is killed, an agent that is killed while it spools, both started again: every
/// invocation is in the store once, and the ledger in the store says where each was.
@Tag("privileged")
final class DeliveryBpfIT {
  private static final int REQUESTS = 5_000;
  private static final int DISK_REQUESTS = 30_000;
  private static final String TENANT = "globex";

  @TempDir private Path directory;

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
      Await.until("a part is stored", () -> spans(node) > REQUESTS / 10);
      node.killCollector();
      Map<String, Traffic.Sent> sent = traffic.await(120);
      assertThat(sent).hasSize(REQUESTS);
      Await.until("all is in the spool", () -> isSpooled(node));
      node.killAgent();
      node.restartAgent();
      node.restartCollector();
      Await.until("all is stored", () -> spans(node) >= REQUESTS);
      Await.until(
          "the books are told",
          () -> {
            Map<String, Books> books = Books.byBoot(node, TENANT);
            return books.size() == 2
                && books.values().stream().allMatch(each -> each.inMemory() == 0)
                && books.values().stream()
                    .anyMatch(
                        each -> each.recovered() > 0 && each.acknowledged() == each.recovered());
          });
      assertThat(spans(node)).isEqualTo(REQUESTS);
      assertThat(distinctSpans(node)).isEqualTo(REQUESTS);
      Map<String, Books> books = Books.byBoot(node, TENANT);
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

  /// The spool's file system is full while the collector is away and requests go on.
  @Test
  void explainsWhatAFullDiskHadNoRoomFor() throws Exception {
    Path disk = Files.createDirectory(directory.resolve("disk"));
    run("mount", "-t", "tmpfs", "-o", "size=768k", "headspan-test", disk.toString());
    Map<String, String> settings =
        Map.of(
            "HEADSPAN_AGENT_SPOOL", disk.resolve("spool").toString(),
            "HEADSPAN_AGENT_SPOOL_AFTER", "500ms",
            "HEADSPAN_AGENT_QUEUE_BATCHES", "8",
            "HEADSPAN_AGENT_BATCH_AGE", "50ms",
            "HEADSPAN_AGENT_SIGNAL_INTERVAL", "1s");
    try (HeadspanNode node = HeadspanNode.start(directory, settings);
        RuncContainer container =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-it-disk-" + ProcessHandle.current().pid(),
                        List.of("--port", "0", "--host", "127.0.0.1"))
                    .asFunction(TENANT, "orders", "1"))) {
      // Before any request: what the store has is what it acknowledged.
      node.killCollector();
      try (Traffic traffic =
          Traffic.start(
              directory,
              "127.0.0.1:" + container.readyLine().substring("ready on ".length()),
              UnaryOperator.identity(),
              "--requests",
              Integer.toString(DISK_REQUESTS),
              "--rate",
              "1000",
              "--seed",
              "22")) {
        Await.until(
            "the disk is full",
            () -> AgentBooks.of(node, TENANT),
            () -> AgentBooks.of(node, TENANT).dropped().containsKey("disk_full"));
        node.restartCollector();
        assertThat(traffic.await(180)).hasSize(DISK_REQUESTS);
      }
      Await.until(
          "the agent is quiet",
          () -> AgentBooks.of(node, TENANT),
          () -> AgentBooks.of(node, TENANT).isQuiet());
      AgentBooks books = AgentBooks.of(node, TENANT);
      assertThat(books.captured()).isEqualTo(DISK_REQUESTS);
      assertThat(books.imbalance()).isZero();
      assertThat(books.dropped()).containsOnlyKeys("disk_full");
      assertThat(books.acknowledged()).isPositive().isEqualTo(DISK_REQUESTS - books.lost());
      assertThat(spans(node)).isEqualTo(books.acknowledged());
      assertThat(distinctSpans(node)).isEqualTo(books.acknowledged());
    } finally {
      run("umount", disk.toString());
    }
  }

  private static void run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s: %s", String.join(" ", command), output).isZero();
  }

  private static boolean isSpooled(HeadspanNode node) {
    AgentBooks books = AgentBooks.of(node, TENANT);
    return books.captured() == REQUESTS && books.inMemory() == 0;
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
}
