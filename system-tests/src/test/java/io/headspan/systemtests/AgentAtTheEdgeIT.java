package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.headspan.agent.export.CollectorChannel;
import io.headspan.agent.export.CollectorToken;
import io.headspan.agent.export.ExportSettings;
import io.headspan.agent.export.SpanExporter;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.StoreException;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.access.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An agent's exporter before a collector that knows its senders, limits a tenant, and keeps
/// another one's spans in a region whose store goes and comes back: everything captured is stored
/// once, or left out and told.
class AgentAtTheEdgeIT {
  private static final String TOKEN = "token-of-the-agent";
  private static final int SPANS = 40;

  @TempDir private Path directory;
  private final Ledger ledger = new Ledger();
  private long nextSpanId = 1;

  @Test
  void everythingIsStoredOnceOrToldWhateverHappens() throws Exception {
    Path token = Files.writeString(directory.resolve("token"), "not-yet-the-token");
    Path usDirectory = directory.resolve("us");
    StoreProcess us = StoreProcess.start(usDirectory);
    StoreAddress usAddress = us.address();
    try (StoreProcess own = StoreProcess.start(directory.resolve("own"));
        Collector collector = Collector.start(config(own.address(), usAddress));
        SpanExporter exporter = exporter(collector.port(), token)) {
      submit(exporter);
      Await.until("refused", () -> exporter.brokenStreams() >= 4);
      assertThat(exporter.heldSpans()).isEqualTo(4 * SPANS);

      Files.writeString(token, TOKEN);
      Await.until("let in", () -> exporter.heldSpans() == 0);
      assertThat(stored(usAddress)).isEqualTo(Map.of("acme", (long) SPANS));

      us.kill();
      for (int i = 0; i < 10; i++) {
        submit(exporter);
      }
      Await.until(
          "the others' spans", () -> stored(own.address()).getOrDefault("bravo", 0L) == 11 * SPANS);
      assertThat(exporter.heldBatches()).isEqualTo(10);

      us =
          StoreProcess.start(
              Map.of(
                  "HEADSPAN_STORE_LISTEN",
                  usAddress.host() + ":" + usAddress.port(),
                  "HEADSPAN_STORE_PATH",
                  usDirectory.toString()));
      Await.until("all", () -> exporter.heldSpans() == 0);

      assertThat(stored(usAddress)).isEqualTo(Map.of("acme", 11L * SPANS));
      Map<String, Long> here = stored(own.address());
      long noisy = here.getOrDefault("noisy", 0L);
      assertThat(here).containsEntry("bravo", 11L * SPANS).containsEntry("", 11L * SPANS);
      assertThat(noisy).isLessThan(11L * SPANS);
      assertThat(
              rows(
                  own.address(),
                  "SELECT concat(tenant, '/', reason) AS what, sum(records) FROM collector_ledger GROUP BY what"))
          .isEqualTo(Map.of("noisy/rate_limited", 11L * SPANS - noisy));
      assertThat(ledger.acknowledged()).isEqualTo(4L * 11 * SPANS);
      assertThat(ledger.snapshot().total().droppedTotal()).isZero();
    } finally {
      us.close();
    }
  }

  private CollectorConfig config(StoreAddress own, StoreAddress us) throws IOException {
    Path tokens =
        Files.writeString(
            directory.resolve("tokens.yaml"),
            "tokens: [{name: node, role: agent, sha256: %s}]".formatted(Tokens.hash(TOKEN)));
    Path tenants =
        Files.writeString(
            directory.resolve("tenants.yaml"),
            """
            regions: [{name: us, store: "%s"}]
            tenants:
              - {name: acme, region: us}
              - {name: noisy, spans_per_second: 1, burst: 20s}
            """
                .formatted(us));
    Map<String, String> settings = new HashMap<>();
    settings.put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    settings.put("HEADSPAN_COLLECTOR_STORE", own.toString());
    settings.put("HEADSPAN_COLLECTOR_TOKENS", tokens.toString());
    settings.put("HEADSPAN_COLLECTOR_TENANTS", tenants.toString());
    return CollectorConfig.from(settings);
  }

  private SpanExporter exporter(int port, Path token) {
    return SpanExporter.start(
        new ExportSettings(
            "127.0.0.1",
            port,
            "agent",
            "boot",
            64L << 20,
            1_000,
            8,
            Duration.ofSeconds(30),
            Duration.ofSeconds(10),
            true),
        CollectorChannel.open(
            "127.0.0.1",
            port,
            null,
            CollectorToken.inFile(token, e -> fail("the token is not taken", e))),
        ledger,
        null);
  }

  /// Captures a batch with spans of four tenants, one of them nobody.
  private void submit(SpanExporter exporter) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    Map<String, Integer> counts = new HashMap<>();
    Instant now = Instant.now();
    for (String tenant : new String[] {"acme", "bravo", "noisy", ""}) {
      int resource = builder.addResource();
      if (!tenant.isEmpty()) {
        builder
            .resourceAttributes()
            .add(
                resource,
                builder.table().intern("headspan.tenant"),
                AttributeType.STRING,
                builder.table().intern(tenant));
      }
      int scope = builder.addScope(resource);
      for (int i = 0; i < SPANS; i++) {
        int span = builder.addSpan(scope);
        builder.spanId(span, nextSpanId);
        builder.traceIdLow(span, nextSpanId++);
        builder.startNs(span, now.getEpochSecond() * 1_000_000_000L);
        ledger.captured();
        ledger.batched(tenant.isEmpty() ? null : tenant);
      }
      counts.put(tenant, SPANS);
    }
    exporter.submit(builder.build(), TenantCounts.of(counts));
  }

  private static Map<String, Long> stored(StoreAddress at) {
    return rows(at, "SELECT tenant, count() FROM spans GROUP BY tenant");
  }

  private static Map<String, Long> rows(StoreAddress at, String sql) {
    Map<String, Long> rows = new TreeMap<>();
    try (SpanStore store = SpanStore.connect(at)) {
      var _ = store.query(SqlQuery.of(sql), row -> rows.put(row.text(0), row.integer(1)) == null);
    } catch (StoreException e) {
      // Not there yet, or without a schema: it holds nothing that could be seen.
      return Map.of();
    }
    return rows;
  }
}
