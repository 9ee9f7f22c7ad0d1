package io.headspan.collector.spanmetrics;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.DataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpanMetricsTest {
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;
  private static final byte PRODUCER = 4;
  private static final byte CONSUMER = 5;
  private static final byte ERROR = 2;
  private static final long START_NS = 1_795_000_000_000_000_000L;

  private Instant now = Instant.ofEpochSecond(1_795_000_100);
  private final SpanMetrics metrics = new SpanMetrics(100, () -> now);

  /// Spans of one batch.
  private static final class Spans {
    private final SpanBatch.Builder builder = new SpanBatch.Builder();
    private final Utf8Table table = builder.table();
    private int last;

    Spans add(
        String service, String runtime, byte kind, long id, long parent, int millis, byte status) {
      int resource = builder.addResource();
      text(builder.resourceAttributes(), resource, "service.name", service);
      text(builder.resourceAttributes(), resource, "headspan.tenant", "acme");
      if (!runtime.isEmpty()) {
        text(builder.resourceAttributes(), resource, "headspan.runtime", runtime);
      }
      last = builder.addSpan(builder.addScope(resource));
      builder.traceIdHigh(last, 1);
      builder.traceIdLow(last, 0x7a);
      builder.spanId(last, id);
      builder.parentSpanId(last, parent);
      builder.name(last, table.intern("GET /" + service));
      builder.kind(last, kind);
      builder.statusCode(last, status);
      builder.startNs(last, START_NS);
      builder.durationNs(last, Duration.ofMillis(millis).toNanos());
      return this;
    }

    Spans with(String key, String value) {
      text(builder.spanAttributes(), last, key, value);
      return this;
    }

    Spans open() {
      builder.spanAttributes().add(last, table.intern("headspan.open"), AttributeType.BOOL, 1);
      return this;
    }

    Spans traceState(String value) {
      builder.traceState(last, table.intern(value));
      return this;
    }

    private void text(Attributes.Builder attributes, int owner, String key, String value) {
      attributes.add(owner, table.intern(key), AttributeType.STRING, table.intern(value));
    }

    SpanBatch batch() {
      return builder.build();
    }
  }

  private static Spans spans() {
    return new Spans();
  }

  @Test
  void countsCallsAndTheirLatencyUnderTemposNames() {
    Spans spans = spans();
    for (int millis : new int[] {1, 2, 3, 20_000}) {
      spans.add("cart", "container", SERVER, millis, 9, millis, ERROR);
    }
    spans.add("cart", "container", SERVER, 7, 9, 5, (byte) 0);
    metrics.stored(spans.batch());

    String failed =
        "runtime=container,service=cart,span_kind=SPAN_KIND_SERVER,span_name=GET /cart,"
            + "status_code=STATUS_CODE_ERROR,tenant=acme";
    assertThat(counters("traces_spanmetrics_calls"))
        .containsEntry(failed, 4.0)
        .containsEntry(failed.replace("ERROR", "UNSET"), 1.0)
        .hasSize(2);
    HistogramDataPointSnapshot latency = histogram("traces_spanmetrics_latency", failed);
    assertThat(latency.getSum()).isEqualTo(20.006);
    assertThat(latency.getClassicBuckets().getUpperBound(0)).isEqualTo(0.002);
    assertThat(latency.getClassicBuckets().getUpperBound(13)).isEqualTo(16.384);
    assertThat(latency.getClassicBuckets().getCount(0)).isEqualTo(2);
    assertThat(latency.getClassicBuckets().getCount(1)).isEqualTo(1);
    assertThat(latency.getClassicBuckets().getCount(14)).isEqualTo(1);
    assertThat(requireNonNull(latency.getExemplars().getLatest()).getLabels().get("trace_id"))
        .isEqualTo("0000000000000001000000000000007a");
  }

  @Test
  void countsWhatIsOpenWhenItHasEnded() {
    metrics.stored(spans().add("cart", "container", SERVER, 1, 0, 5_000, (byte) 0).open().batch());
    assertThat(counters("traces_spanmetrics_calls")).isEmpty();
    assertThat(counters("traces_service_graph_request")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "'ot=th:c', 4",
    "'ot=th:8', 2",
    "'vendor=x, ot=rv:abc;th:f', 16",
    "'ot=th:0', 1",
    "'ot=th:xyz', 1",
    "'other=th:c', 1"
  })
  void letsASpanStandForAsManyAsItsTraceStateSays(String traceState, double count) {
    metrics.stored(
        spans().add("cart", "", SERVER, 1, 0, 5, (byte) 0).traceState(traceState).batch());
    assertThat(counters("traces_spanmetrics_calls").values()).containsExactly(count);
    assertThat(counters("traces_service_graph_request").values()).containsExactly(count);
  }

  @Test
  void pairsCallsOverBatches() {
    metrics.stored(spans().add("web", "container", CLIENT, 1, 9, 30, (byte) 0).batch());
    assertThat(counters("traces_service_graph_request")).isEmpty();
    metrics.stored(spans().add("cart", "container", SERVER, 2, 1, 20, ERROR).batch());
    String edge = "client=web,client_tenant=acme,connection_type=,server=cart,server_tenant=acme";
    assertThat(counters("traces_service_graph_request")).containsExactly(Map.entry(edge, 1.0));
    assertThat(counters("traces_service_graph_request_failed"))
        .containsExactly(Map.entry(edge, 1.0));
    assertThat(histogram("traces_service_graph_request_client_seconds", edge).getSum())
        .isEqualTo(0.03);
    assertThat(histogram("traces_service_graph_request_server_seconds", edge).getSum())
        .isEqualTo(0.02);
  }

  @Test
  void namesQueuesDatabasesAndCallersThatSendNoSpans() {
    metrics.stored(
        spans()
            .add("web", "container", PRODUCER, 1, 9, 1, (byte) 0)
            .add("mail", "container", CONSUMER, 2, 1, 1, (byte) 0)
            .add("web", "container", CLIENT, 3, 9, 7, (byte) 0)
            .with("db.system.name", "postgresql")
            .with("network.peer.address", "10.0.0.9")
            .with("network.peer.port", "5432")
            .add("web", "container", CLIENT, 4, 9, 1, (byte) 0)
            .with("peer.service", "stripe")
            .add("web", "container", CLIENT, 5, 9, 1, (byte) 0)
            .add("web", "container", SERVER, 6, 0, 1, (byte) 0)
            .batch());
    now = now.plusSeconds(11);
    assertThat(counters("traces_service_graph_request").keySet())
        .containsExactlyInAnyOrder(
            "client=web,client_tenant=acme,connection_type=messaging_system,server=mail,"
                + "server_tenant=acme",
            "client=web,client_tenant=acme,connection_type=database,server=10.0.0.9:5432,"
                + "server_tenant=",
            "client=web,client_tenant=acme,connection_type=virtual_node,server=stripe,"
                + "server_tenant=",
            "client=user,client_tenant=,connection_type=virtual_node,server=web,"
                + "server_tenant=acme");
    assertThat(counters("traces_service_graph_unpaired_spans").values()).containsExactly(1.0);
  }

  /// The SDKs of both services, and the agents below them, whose SERVER span names the SDK's call.
  @Test
  void countsARequestThatSdksAndAgentsSawOnce() {
    metrics.stored(
        spans()
            .add("web", "", CLIENT, 1, 9, 30, (byte) 0)
            .add("cart", "", SERVER, 2, 1, 20, (byte) 0)
            .add("web", "container", CLIENT, 3, 8, 29, (byte) 0)
            .batch());
    metrics.stored(
        spans()
            .add("cart", "container", SERVER, 4, 3, 21, (byte) 0)
            .with("headspan.header_parent", "0000000000000001")
            .batch());
    now = now.plusSeconds(11);
    assertThat(counters("traces_service_graph_request").values()).containsExactly(1.0);
  }

  /// A function that hands on the header as it came: the one behind it names the first call, and
  /// ends before what that led to.
  @Test
  void countsARequestWhoseHeaderWasHandedOn() {
    metrics.stored(
        spans()
            .add("price", "container", SERVER, 4, 3, 10, (byte) 0)
            .with("headspan.header_parent", "0000000000000001")
            .add("cart", "container", CLIENT, 3, 2, 11, (byte) 0)
            .add("cart", "container", SERVER, 2, 1, 20, (byte) 0)
            .add("web", "", CLIENT, 1, 9, 30, (byte) 0)
            .batch());
    assertThat(counters("traces_service_graph_request").keySet())
        .containsExactly(
            "client=cart,client_tenant=acme,connection_type=,server=price,server_tenant=acme",
            "client=web,client_tenant=acme,connection_type=,server=cart,server_tenant=acme");
  }

  @Test
  void countsARequestThatOnlySdksSaw() {
    metrics.stored(
        spans()
            .add("web", "", CLIENT, 1, 9, 30, (byte) 0)
            .add("cart", "", SERVER, 2, 1, 20, (byte) 0)
            .batch());
    now = now.plusSeconds(11);
    assertThat(counters("traces_service_graph_request").values()).containsExactly(1.0);
  }

  @Test
  void keepsNoMoreSeriesThanAllowedAndForgetsTheSilentOnes() {
    Spans spans = spans();
    for (int i = 0; i < 150; i++) {
      spans.add("s" + i, "", (byte) 1, i + 1, 9, 1, (byte) 0);
    }
    SpanBatch batch = spans.batch();
    metrics.stored(batch);
    assertThat(counters("traces_spanmetrics_calls")).hasSize(100);
    assertThat(counters("headspan_collector_series_refused")).containsEntry("series=calls", 50.0);
    now = now.plus(Duration.ofMinutes(16));
    assertThat(counters("traces_spanmetrics_calls")).isEmpty();
    metrics.stored(batch);
    assertThat(counters("traces_spanmetrics_calls")).hasSize(100);
  }

  @Test
  void addsUpWhoWaitedForWhom() {
    for (int sequence = 1; sequence <= 2; sequence++) {
      metrics.stored(
          new NodeReport(
              "a",
              "b",
              sequence,
              "h",
              START_NS,
              1,
              new NodeSignal.Interference(
                  List.of(
                      new NodeSignal.Interference.Cell("acme", "globex", 1_500_000_000L, 3),
                      new NodeSignal.Interference.Cell("acme", "acme", 4_000_000_000L, 9),
                      new NodeSignal.Interference.Cell("acme", "{idle}", 250_000_000L, 5)))));
    }
    assertThat(counters("headspan_interference_seconds"))
        .containsExactly(Map.entry("culprit=globex,victim=acme", 3.0));
    assertThat(counters("headspan_own_wait_seconds"))
        .containsExactly(
            Map.entry("reason=idle,tenant=acme", 0.5),
            Map.entry("reason=own_load,tenant=acme", 8.0));
  }

  private Map<String, Double> counters(String name) {
    Map<String, Double> values = new TreeMap<>();
    for (DataPointSnapshot point : snapshot(name).getDataPoints()) {
      values.put(labels(point), ((CounterDataPointSnapshot) point).getValue());
    }
    return values;
  }

  private HistogramDataPointSnapshot histogram(String name, String labels) {
    return snapshot(name).getDataPoints().stream()
        .filter(point -> labels(point).equals(labels))
        .map(HistogramDataPointSnapshot.class::cast)
        .findFirst()
        .orElseThrow();
  }

  private MetricSnapshot snapshot(String name) {
    return metrics.collect().stream()
        .filter(each -> each.getMetadata().getName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static String labels(DataPointSnapshot point) {
    return String.join(
        ",",
        point.getLabels().stream()
            .map(label -> label.getName() + "=" + label.getValue())
            .sorted()
            .toList());
  }
}
