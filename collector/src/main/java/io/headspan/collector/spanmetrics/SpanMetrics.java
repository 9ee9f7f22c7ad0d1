package io.headspan.collector.spanmetrics;

import io.headspan.collector.ingest.StoredListener;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// Counts what was stored: calls and latency by service, operation, kind and status; requests
/// between services; waits of tenants for one another. Names and labels are those of Tempo's
/// metrics-generator, and `tenant` and `runtime` beside them: a function that an agent and an SDK
/// see has two series, of which the SDK's has no runtime. Thread-safe.
///
/// Counts are those of this process since it started. A span stands for as many as its tracestate
/// says.
public final class SpanMetrics implements StoredListener, MultiCollector {
  private static final String[] KINDS = {
    "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"
  };
  private static final String[] STATUSES = {"UNSET", "OK", "ERROR"};

  private final InstantSource clock;
  private final SeriesMap<Call, WeightedHistogram> calls;
  private final SeriesMap<Wait, long[]> waits;
  private final ServiceGraph graph;

  private record Call(
      String service, String tenant, String runtime, String name, byte kind, byte status) {}

  private record Wait(String victim, String culprit) {}

  /// Within one batch.
  private record LocalCall(int resource, int name, byte kind, byte status) {}

  /// @param seriesMax of calls, of edges and of waits at a time, each
  public SpanMetrics(int seriesMax, InstantSource clock) {
    this.clock = clock;
    calls = new SeriesMap<>(seriesMax, () -> new WeightedHistogram(Buckets.CALLS));
    waits = new SeriesMap<>(seriesMax, () -> new long[1]);
    graph = new ServiceGraph(seriesMax);
  }

  @Override
  public void stored(SpanBatch batch) {
    SpanFacts facts = new SpanFacts(batch);
    Map<LocalCall, WeightedHistogram> found = new HashMap<>();
    long nowMillis = clock.millis();
    synchronized (this) {
      for (int span = 0; span < batch.size(); span++) {
        if (!facts.isOpen(span)) {
          add(batch, span, facts, found, nowMillis);
        }
      }
      graph.expire(nowMillis);
    }
  }

  private void add(
      SpanBatch batch,
      int span,
      SpanFacts facts,
      Map<LocalCall, WeightedHistogram> found,
      long nowMillis) {
    byte kind = batch.kind(span);
    byte status = batch.statusCode(span);
    if (kind < 0 || kind >= KINDS.length || status < 0 || status >= STATUSES.length) {
      return;
    }
    long endNs = batch.startNs(span) + Math.max(0, batch.durationNs(span));
    Exemplary exemplary =
        new Exemplary(
            batch.traceIdHigh(span),
            batch.traceIdLow(span),
            batch.spanId(span),
            ServiceGraph.seconds(batch.durationNs(span)),
            TimeUnit.NANOSECONDS.toMillis(endNs));
    LocalCall local = new LocalCall(facts.resource(span), batch.name(span), kind, status);
    WeightedHistogram histogram = found.get(local);
    if (histogram == null) {
      SpanFacts.Source source = facts.source(span);
      Call call =
          new Call(
              source.service(),
              source.tenant(),
              source.runtime(),
              batch.text(batch.name(span)),
              kind,
              status);
      histogram = calls.at(call, nowMillis).orElse(null);
      if (histogram != null) {
        found.put(local, histogram);
      }
    }
    if (histogram != null) {
      histogram.observe(exemplary, facts.weight(span));
    }
    graph.add(batch, span, facts, exemplary, nowMillis);
  }

  @Override
  public void stored(NodeReport report) {
    if (report.signal() instanceof NodeSignal.Interference interference) {
      long nowMillis = clock.millis();
      synchronized (this) {
        for (NodeSignal.Interference.Cell cell : interference.cells()) {
          waits
              .at(new Wait(cell.victim(), cell.culprit()), nowMillis)
              .ifPresent(ns -> ns[0] += cell.waitNs());
        }
      }
    }
  }

  @Override
  public synchronized MetricSnapshots collect() {
    long nowMillis = clock.millis();
    graph.expire(nowMillis);
    MetricSnapshots.Builder snapshots = MetricSnapshots.builder();
    collectCalls(snapshots, nowMillis);
    collectGraph(snapshots, nowMillis);
    collectWaits(snapshots, nowMillis);
    snapshots.metricSnapshot(
        CounterSnapshot.builder()
            .name("headspan_collector_series_refused")
            .help("Spans, requests and waits not counted because there were too many series")
            .dataPoint(point(Labels.of("series", "calls"), (double) calls.refused()))
            .dataPoint(
                point(Labels.of("series", "service_graph"), (double) graph.edges().refused()))
            .dataPoint(point(Labels.of("series", "interference"), (double) waits.refused()))
            .build());
    return snapshots.build();
  }

  private void collectCalls(MetricSnapshots.Builder snapshots, long nowMillis) {
    CounterSnapshot.Builder total =
        CounterSnapshot.builder().name("traces_spanmetrics_calls").help("Spans");
    HistogramSnapshot.Builder latency =
        HistogramSnapshot.builder()
            .name("traces_spanmetrics_latency")
            .help("Durations of spans in seconds");
    calls.forEach(
        nowMillis,
        (call, histogram, sinceMillis) -> {
          Labels labels =
              Labels.of(
                  "service",
                  call.service(),
                  "span_name",
                  call.name(),
                  "span_kind",
                  "SPAN_KIND_" + KINDS[call.kind()],
                  "status_code",
                  "STATUS_CODE_" + STATUSES[call.status()],
                  "tenant",
                  call.tenant(),
                  "runtime",
                  call.runtime());
          total.dataPoint(
              CounterDataPointSnapshot.builder()
                  .labels(labels)
                  .value(histogram.count())
                  .exemplar(histogram.exemplar())
                  .createdTimestampMillis(sinceMillis)
                  .build());
          latency.dataPoint(histogram.snapshot(labels, sinceMillis));
        });
    snapshots.metricSnapshot(total.build());
    snapshots.metricSnapshot(latency.build());
  }

  private void collectGraph(MetricSnapshots.Builder snapshots, long nowMillis) {
    CounterSnapshot.Builder total =
        CounterSnapshot.builder()
            .name("traces_service_graph_request")
            .help("Requests between two services");
    CounterSnapshot.Builder failed =
        CounterSnapshot.builder()
            .name("traces_service_graph_request_failed")
            .help("Those that failed at either end");
    HistogramSnapshot.Builder client =
        HistogramSnapshot.builder()
            .name("traces_service_graph_request_client_seconds")
            .help("How long they took as seen from the client");
    HistogramSnapshot.Builder server =
        HistogramSnapshot.builder()
            .name("traces_service_graph_request_server_seconds")
            .help("How long they took as seen from the server");
    graph
        .edges()
        .forEach(
            nowMillis,
            (edge, requests, sinceMillis) -> {
              Labels labels =
                  Labels.of(
                      "client",
                      edge.client(),
                      "server",
                      edge.server(),
                      "connection_type",
                      edge.connection().label(),
                      "client_tenant",
                      edge.clientTenant(),
                      "server_tenant",
                      edge.serverTenant());
              total.dataPoint(point(labels, requests.count, sinceMillis));
              failed.dataPoint(point(labels, requests.failed, sinceMillis));
              if (requests.client.count() > 0) {
                client.dataPoint(requests.client.snapshot(labels, sinceMillis));
              }
              if (requests.server.count() > 0) {
                server.dataPoint(requests.server.snapshot(labels, sinceMillis));
              }
            });
    snapshots.metricSnapshot(total.build());
    snapshots.metricSnapshot(failed.build());
    snapshots.metricSnapshot(client.build());
    snapshots.metricSnapshot(server.build());
    snapshots.metricSnapshot(
        CounterSnapshot.builder()
            .name("traces_service_graph_unpaired_spans")
            .help("Spans whose other end did not come in time")
            .dataPoint(point(Labels.EMPTY, (double) graph.unpaired()))
            .build());
    snapshots.metricSnapshot(
        CounterSnapshot.builder()
            .name("traces_service_graph_dropped_spans")
            .help("Spans that could not wait for their other end because too many did")
            .dataPoint(point(Labels.EMPTY, (double) graph.dropped()))
            .build());
  }

  private void collectWaits(MetricSnapshots.Builder snapshots, long nowMillis) {
    CounterSnapshot.Builder taken =
        CounterSnapshot.builder()
            .name("headspan_interference_seconds")
            .help("Time that threads of one tenant waited while threads of another ran");
    CounterSnapshot.Builder own =
        CounterSnapshot.builder()
            .name("headspan_own_wait_seconds")
            .help("Time that threads of one tenant waited for one another, or for an idle CPU");
    waits.forEach(
        nowMillis,
        (wait, ns, sinceMillis) -> {
          double seconds = ServiceGraph.seconds(ns[0]);
          if (NodeSignal.Interference.isTaken(wait.victim(), wait.culprit())) {
            Labels labels = Labels.of("victim", wait.victim(), "culprit", wait.culprit());
            taken.dataPoint(point(labels, seconds, sinceMillis));
          } else {
            String reason = NodeSignal.Interference.ownReason(wait.victim(), wait.culprit());
            Labels labels = Labels.of("tenant", wait.victim(), "reason", reason);
            own.dataPoint(point(labels, seconds, sinceMillis));
          }
        });
    snapshots.metricSnapshot(taken.build());
    snapshots.metricSnapshot(own.build());
  }

  private static CounterDataPointSnapshot point(Labels labels, double value) {
    return CounterDataPointSnapshot.builder().labels(labels).value(value).build();
  }

  private static CounterDataPointSnapshot point(Labels labels, double value, long sinceMillis) {
    return CounterDataPointSnapshot.builder()
        .labels(labels)
        .value(value)
        .createdTimestampMillis(sinceMillis)
        .build();
  }
}
