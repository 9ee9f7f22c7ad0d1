package io.headspan.collector.spanmetrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.collector.Await;
import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.loadgen.prometheus.PrometheusServer;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What Grafana asks a Prometheus for its service map, asked of one: Debian's, which scrapes a
/// collector.
class SpanMetricsIT {
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;

  @TempDir private Path directory;

  @Test
  void prometheusAnswersWhatTheServiceMapAsks() throws Exception {
    if (!PrometheusServer.isInstalled()) {
      assertThat(System.getenv("CI")).as("no prometheus on PATH").isNotEqualTo("true");
      abort("no prometheus on PATH; ./dev setup installs it");
    }
    SpanBatch batch =
        new SyntheticSpans(5, Instant.now().getEpochSecond() * 1_000_000_000L).next(5_000);
    try (StoreProcess store = StoreProcess.start(directory.resolve("store"));
        Collector collector = collector(store);
        PrometheusServer prometheus =
            PrometheusServer.start(directory, List.of("127.0.0.1:" + collector.port()))) {
      Await.until("the collector is ready", () -> isReady(collector));
      send(collector, batch);
      Await.until(
          "every span is counted",
          () -> values(prometheus, "sum(traces_spanmetrics_calls_total)").equals(List.of(5_000.0)));

      assertThat(
              values(
                  prometheus,
                  "sum(traces_spanmetrics_calls_total{span_kind=\"SPAN_KIND_SERVER\"})"))
          .containsExactly((double) ofKind(batch, SERVER));
      assertThat(values(prometheus, "sum(traces_spanmetrics_latency_count)"))
          .containsExactly(5_000.0);
      assertThat(values(prometheus, "sum(traces_spanmetrics_latency_bucket{le=\"+Inf\"})"))
          .containsExactly(5_000.0);
      Await.until(
          "every pair is counted",
          () ->
              values(prometheus, "sum(traces_service_graph_request_total{connection_type=\"\"})")
                  .equals(List.of((double) pairs(batch))));
      // Rates need a second scrape.
      Await.until(
          "every edge has a rate",
          () ->
              !values(
                      prometheus,
                      "sum by (client, server)"
                          + " (rate(traces_service_graph_request_server_seconds_sum[1m]))")
                  .isEmpty());
      assertThat(
              values(
                  prometheus,
                  "histogram_quantile(.9, sum(rate(traces_spanmetrics_latency_bucket"
                      + "{span_name=~\".+\"}[1m])) by (le))"))
          .hasSize(1);
      // A native histogram would have Grafana ask in another way.
      assertThat(
              prometheus.get("series?match[]=traces_service_graph_request_server_seconds&limit=1"))
          .isEmpty();
      JsonNode exemplars =
          prometheus.get(
              "query_exemplars?query=traces_spanmetrics_latency_bucket&start=%d&end=%d"
                  .formatted(
                      Instant.now().getEpochSecond() - 600, Instant.now().getEpochSecond() + 600));
      Set<String> traces = new HashSet<>();
      exemplars.findValuesAsText("trace_id").forEach(traces::add);
      assertThat(traces).isNotEmpty().isSubsetOf(traceIds(batch));
    }
  }

  private static Collector collector(StoreProcess store) {
    return Collector.start(
        CollectorConfig.from(
            Map.of(
                "HEADSPAN_COLLECTOR_LISTEN",
                "127.0.0.1:0",
                "HEADSPAN_COLLECTOR_STORE",
                store.address().toString())));
  }

  private static boolean isReady(Collector collector) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + collector.port() + "/ready"))
            .build();
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static void send(Collector collector, SpanBatch batch) {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", collector.port()).usePlaintext().build();
    try {
      var _ =
          TraceServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(60, TimeUnit.SECONDS)
              .export(
                  ExportTraceServiceRequest.newBuilder()
                      .addAllResourceSpans(OtlpEncoder.encode(batch).getResourceSpansList())
                      .build());
    } finally {
      channel.shutdownNow();
    }
  }

  private static List<Double> values(PrometheusServer prometheus, String expression) {
    try {
      return prometheus.query(expression);
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static long ofKind(SpanBatch batch, byte kind) {
    long count = 0;
    for (int span = 0; span < batch.size(); span++) {
      count += batch.kind(span) == kind ? 1 : 0;
    }
    return count;
  }

  /// Requests of which both spans are there.
  private static long pairs(SpanBatch batch) {
    Set<List<Long>> calls = new HashSet<>();
    for (int span = 0; span < batch.size(); span++) {
      if (batch.kind(span) == CLIENT) {
        calls.add(List.of(batch.traceIdHigh(span), batch.traceIdLow(span), batch.spanId(span)));
      }
    }
    long pairs = 0;
    for (int span = 0; span < batch.size(); span++) {
      if (batch.kind(span) == SERVER
          && calls.contains(
              List.of(batch.traceIdHigh(span), batch.traceIdLow(span), batch.parentSpanId(span)))) {
        pairs++;
      }
    }
    return pairs;
  }

  private static Set<String> traceIds(SpanBatch batch) {
    Set<String> ids = new HashSet<>();
    for (int span = 0; span < batch.size(); span++) {
      ids.add("%016x%016x".formatted(batch.traceIdHigh(span), batch.traceIdLow(span)));
    }
    return ids;
  }
}
