package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.TypedAttribute;
import io.headspan.wire.TypedValue;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class RecordWriterIT {
  private static final long TIME_NS = 1_795_000_000_123_456_789L;
  private static TestStore testStore;

  private final SignalOrigin origin =
      new SignalOrigin(
          List.of(
              text("service.name", "checkout"),
              text("headspan.tenant", "acme"),
              new TypedAttribute("process.pid", new TypedValue(AttributeType.INT, "17"))),
          "https://resource",
          "library",
          "1.2",
          List.of(text("scope.key", "scope value")),
          "https://scope");

  private SpanStore store;

  @BeforeAll
  static void start() throws IOException {
    testStore = TestStore.start();
  }

  @AfterAll
  static void stop() throws IOException {
    testStore.close();
  }

  @BeforeEach
  void connect() {
    store = SpanStore.connect(testStore.newDatabase());
    store.migrate();
  }

  @Test
  void storesLogRecordsOnce() {
    LogBatch batch =
        new LogBatch(
            List.of(
                new LogBatch.Entry(
                    origin,
                    TIME_NS,
                    TIME_NS + 1,
                    0x0123456789abcdefL,
                    0xfedcba9876543210L,
                    -2,
                    1,
                    (byte) 17,
                    "ERROR",
                    "order.failed",
                    new TypedValue(AttributeType.MAP, "{\"a\":[1]}"),
                    List.of(text("k", "v")),
                    3),
                new LogBatch.Entry(
                    origin,
                    0,
                    TIME_NS,
                    0,
                    0,
                    0,
                    0,
                    (byte) 0,
                    "",
                    "",
                    TypedValue.EMPTY,
                    List.of(),
                    0)));

    store.insert(batch, "logs/1");
    store.insert(batch, "logs/1");

    assertThat(
            texts(
                """
                SELECT concat_ws('|', time, observed, lower(hex(trace_id)), span_id, flags, severity,
                  severity_text, event_name, body, body_type, keys, types, values,
                  dropped_attributes, tenant, service, resource_keys, resource_types,
                  resource_values, resource_schema_url, scope_name, scope_version, scope_keys,
                  scope_types, scope_values, scope_schema_url)
                FROM logs ORDER BY severity DESC
                """))
        .containsExactly(
            "2026-11-18 11:06:40.123456789|2026-11-18 11:06:40.123456790|"
                + "0123456789abcdeffedcba9876543210|18446744073709551614|1|17|ERROR|order.failed|"
                + "{\"a\":[1]}|5|['k']|[1]|['v']|3|acme|checkout|"
                + "['service.name','headspan.tenant','process.pid']|[1,1,2]|"
                + "['checkout','acme','17']|https://resource|library|1.2|['scope.key']|[1]|"
                + "['scope value']|https://scope",
            "2026-11-18 11:06:40.123456789|2026-11-18 11:06:40.123456789|"
                + "00000000000000000000000000000000|0|0|0||||0|[]|[]|[]|0|acme|checkout|"
                + "['service.name','headspan.tenant','process.pid']|[1,1,2]|"
                + "['checkout','acme','17']|https://resource|library|1.2|['scope.key']|[1]|"
                + "['scope value']|https://scope");
  }

  @Test
  void storesEveryKindOfDataPointOnce() {
    MetricBatch.Totals totals = new MetricBatch.Totals(5, 2.5, 0.25, Double.NaN);
    MetricBatch batch =
        new MetricBatch(
            List.of(
                point("gauge", new MetricBatch.Gauge(new MetricBatch.Measure(true, -7))),
                point(
                    "sum",
                    new MetricBatch.Sum(
                        new MetricBatch.Measure(false, Double.doubleToRawLongBits(1.5)))),
                point(
                    "histogram",
                    new MetricBatch.Histogram(totals, List.of(0.5, 1.0), List.of(1L, 3L, 1L))),
                point(
                    "exponential",
                    new MetricBatch.ExponentialHistogram(
                        totals,
                        -1,
                        2,
                        0.125,
                        new MetricBatch.Buckets(-3, List.of(1L, 0L)),
                        new MetricBatch.Buckets(4, List.of(2L)))),
                point("summary", new MetricBatch.Summary(totals, List.of(0.5), List.of(9.0)))));

    store.insert(batch, "metrics/1");
    store.insert(batch, "metrics/1");

    assertThat(
            texts(
                """
                SELECT concat_ws('|', metric, kind, value, integer, is_integer, count, sum, min, max,
                  bounds, counts, quantile_values, scale, zero_count, zero_threshold,
                  positive_offset, negative_offset, negative_counts)
                FROM metric_points ORDER BY kind
                """))
        .containsExactly(
            "gauge|1|-7|-7|true|0|nan|nan|nan|[]|[]|[]|0|0|0|0|0|[]",
            "sum|2|1.5|0|false|0|nan|nan|nan|[]|[]|[]|0|0|0|0|0|[]",
            "histogram|3|nan|0|false|5|2.5|0.25|nan|[0.5,1]|[1,3,1]|[]|0|0|0|0|0|[]",
            "exponential|4|nan|0|false|5|2.5|0.25|nan|[]|[1,0]|[]|-1|2|0.125|-3|4|[2]",
            "summary|5|nan|0|false|5|2.5|0.25|nan|[0.5]|[]|[9]|0|0|0|0|0|[]");
    assertThat(
            texts(
                """
                SELECT DISTINCT concat_ws('|', time, start, unit, description, temporality, monotonic,
                  flags, keys, types, values, service, tenant, exemplar_times, exemplar_values,
                  arrayMap(id -> lower(hex(id)), exemplar_trace_ids), exemplar_span_ids,
                  exemplar_attribute_owners, exemplar_attribute_keys, exemplar_attribute_types,
                  exemplar_attribute_values)
                FROM metric_points
                """))
        .containsExactly(
            "2026-11-18 11:06:40.123456789|2026-11-18 11:06:40.123456000|ms|what it is|2|true|1|"
                + "['k']|[1]|['v']|checkout|acme|"
                + "['1970-01-01 00:00:00.000000000','2026-11-18 11:06:40.123456789']|[0.5,0.75]|"
                + "['00000000000000000000000000000000','00000000000000010000000000000002']|[0,3]|"
                + "[1]|['ek']|[1]|['ev']");
  }

  private MetricBatch.Point point(String name, MetricBatch.Value value) {
    return new MetricBatch.Point(
        new MetricBatch.Metric(origin, name, "ms", "what it is", (byte) 2, true),
        TIME_NS,
        TIME_NS - 789,
        1,
        List.of(text("k", "v")),
        value,
        List.of(
            new MetricBatch.Exemplar(0, 0.5, 0, 0, 0, List.of()),
            new MetricBatch.Exemplar(TIME_NS, 0.75, 1, 2, 3, List.of(text("ek", "ev")))));
  }

  private static TypedAttribute text(String key, String value) {
    return new TypedAttribute(key, new TypedValue(AttributeType.STRING, value));
  }

  private List<String> texts(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.text(0));
  }
}
