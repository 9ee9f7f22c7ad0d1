package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.SpanStore;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Of random traces, the store says what a few lines of plain Java say, for each policy that
/// decides by a trace alone. How many: `-Dheadspan.sampling.traces`.
final class SamplingAgreementIT {
  private static final int TRACES = Integer.getInteger("headspan.sampling.traces", 5_000);
  private static final int TRACES_AT_ONCE = 1_000;
  private static final long SEED = 20261121;
  private static final long MS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final QuietTraces.Quiet AT_ONCE =
      new QuietTraces.Quiet(Duration.ZERO, Duration.ZERO);

  private static final List<String> NAMES = List.of("GET /cart", "SET", "charge", "publish");
  private static final List<String> SERVICES = List.of("cart", "payment", "redis", "mail");
  private static final List<String> STATES = List.of("", "vendor=a", "vendor=b,other=a", "other=b");

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static SpanStore store;
  private static Map<Long, Trace> traces;

  /// A span as the policies speak of it.
  ///
  /// @param attributes values are String, Long, Double or Boolean
  /// @param events their names
  record Span(
      String name,
      int kind,
      int status,
      long startNs,
      long durationNs,
      String state,
      Map<String, Object> attributes,
      Map<String, Object> resource,
      List<String> events) {
    long endNs() {
      return startNs + durationNs;
    }
  }

  record Trace(long id, List<Span> spans) {
    boolean any(Predicate<Span> condition) {
      return spans.stream().anyMatch(condition);
    }

    /// Of spans or their resources.
    boolean anyValue(String key, Predicate<Object> condition) {
      return any(span -> is(span.attributes, key, condition) || is(span.resource, key, condition));
    }

    private static boolean is(
        Map<String, Object> attributes, String key, Predicate<Object> condition) {
      Object value = attributes.get(key);
      return value != null && condition.test(value);
    }

    long durationNs() {
      long start = spans.stream().mapToLong(Span::startNs).min().orElseThrow();
      return spans.stream().mapToLong(Span::endNs).max().orElseThrow() - start;
    }
  }

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
    traces = new HashMap<>();
    Random random = new Random(SEED);
    List<Trace> some = new ArrayList<>();
    for (int i = 1; i <= TRACES; i++) {
      Trace trace = randomTrace(random, i);
      traces.put(trace.id, trace);
      some.add(trace);
      if (some.size() == TRACES_AT_ONCE || i == TRACES) {
        store.insert(encode(some), "traces-" + i, Tier.RECENT);
        some.clear();
      }
    }
  }

  @AfterAll
  static void stop() {
    store.close();
    process.close();
  }

  static List<Arguments> policies() {
    return List.of(
        policy("type: always_sample", _ -> true),
        policy(
            "type: latency, latency: {threshold_ms: 100}", trace -> trace.durationNs() >= 100 * MS),
        policy(
            "type: latency, latency: {threshold_ms: 50, upper_threshold_ms: 200}",
            trace -> trace.durationNs() / MS > 50 && trace.durationNs() / MS <= 200),
        policy("type: status_code, status_code: {status_codes: [ERROR]}", hasStatus(2)),
        policy(
            "type: status_code, status_code: {status_codes: [OK, UNSET]}",
            hasStatus(1).or(hasStatus(0))),
        policy(
            "type: numeric_attribute, numeric_attribute: {key: code, min_value: 500, max_value: 599}",
            trace -> trace.anyValue("code", SamplingAgreementIT::isServerError)),
        policy(
            "type: numeric_attribute, numeric_attribute: {key: code, min_value: 500, max_value: 599,"
                + " invert_match: true}",
            trace -> !trace.anyValue("code", SamplingAgreementIT::isServerError)),
        policy(
            "type: string_attribute, string_attribute: {key: tier, values: [gold, silver]}",
            trace -> trace.anyValue("tier", Set.of("gold", "silver")::contains)),
        policy(
            "type: string_attribute, string_attribute: {key: tier, values: ['^g.*d$', 'ron'],"
                + " enabled_regex_matching: true}",
            trace -> trace.anyValue("tier", finds("^g.*d$").or(finds("ron")))),
        policy(
            "type: string_attribute, string_attribute: {key: service.name, values: [redis],"
                + " invert_match: true}",
            trace -> !trace.anyValue("service.name", "redis"::equals)),
        policy(
            "type: boolean_attribute, boolean_attribute: {key: cold, value: true}",
            trace -> trace.anyValue("cold", Boolean.TRUE::equals)),
        policy(
            "type: span_count, span_count: {min_spans: 3, max_spans: 5}",
            trace -> trace.spans.size() >= 3 && trace.spans.size() <= 5),
        policy(
            "type: trace_state, trace_state: {key: vendor, values: [b, c]}",
            trace -> trace.any(span -> List.of(span.state.split(",")).contains("vendor=b"))),
        ottl("name == \"SET\"", span -> span.name.equals("SET")),
        ottl(
            "attributes[\"code\"] >= 500 and status.code != STATUS_CODE_ERROR",
            span ->
                span.attributes.get("code") instanceof Number code
                    && code.doubleValue() >= 500
                    && span.status != 2),
        ottl(
            "resource.attributes[\"service.name\"] == \"mail\" or kind == SPAN_KIND_CLIENT",
            span -> "mail".equals(span.resource.get("service.name")) || span.kind == 3),
        ottl(
            "attributes[\"tier\"] == nil and not (name == \"charge\")",
            span -> !span.attributes.containsKey("tier") && !span.name.equals("charge")),
        ottl(
            "end_time_unix_nano - start_time_unix_nano > 80000000",
            span -> span.durationNs > 80 * MS),
        ottl("IsMatch(name, \"^[A-Z]+ /\")", span -> Pattern.matches("^[A-Z]+ /.*", span.name)),
        policy(
            "type: ottl_condition, ottl_condition: {spanevent: ['name == \"retry\"']}",
            trace -> trace.any(span -> span.events.contains("retry"))),
        policy(
            "type: and, and: {and_sub_policy: [{name: a, type: status_code, status_code:"
                + " {status_codes: [ERROR]}}, {name: b, type: string_attribute, string_attribute:"
                + " {key: service.name, values: [cart], invert_match: true}}, {name: c, type:"
                + " span_count, span_count: {min_spans: 2}}]}",
            hasStatus(2)
                .and(trace -> !trace.anyValue("service.name", "cart"::equals))
                .and(trace -> trace.spans.size() >= 2)),
        policy(
            "type: not, not: {not_sub_policy: {name: n, type: latency, latency: {threshold_ms: 60}}}",
            trace -> trace.durationNs() / MS < 60),
        Arguments.of(
            "[{name: a, type: latency, latency: {threshold_ms: 20}}, {name: d, type: drop, drop:"
                + " {drop_sub_policy: [{name: e, type: boolean_attribute, boolean_attribute: {key:"
                + " cold, value: true}}, {name: f, type: status_code, status_code: {status_codes:"
                + " [OK]}}]}}]",
            (Predicate<Trace>)
                trace ->
                    trace.durationNs() / MS >= 20
                        && !(trace.anyValue("cold", Boolean.TRUE::equals)
                            && hasStatus(1).test(trace))));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("policies")
  void theStoreDecidesAsPlainJavaDoes(String yaml, Predicate<Trace> reference) {
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    QuietTraces quiet = new QuietTraces(store, Duration.ofHours(1), policies);
    Set<Long> kept = new HashSet<>();
    Set<Long> seen = new HashSet<>();
    for (StoredTrace trace :
        quiet.examine(quiet.find(store.tiers().nowMillis() + 1, 0, AT_ONCE, TRACES + 1))) {
      seen.add(trace.traceIdLow());
      if (policies.decide(trace).kept()) {
        kept.add(trace.traceIdLow());
      }
    }
    Set<Long> expected = new HashSet<>();
    traces.values().stream().filter(reference).forEach(trace -> expected.add(trace.id));
    assertThat(expected).as("says something").isNotEmpty();
    assertThat(seen).isEqualTo(traces.keySet());
    assertThat(kept).isEqualTo(expected);
  }

  private static Arguments policy(String yaml, Predicate<Trace> reference) {
    return Arguments.of("[{name: p, " + yaml + "}]", reference);
  }

  private static Arguments ottl(String condition, Predicate<Span> reference) {
    return policy(
        "type: ottl_condition, ottl_condition: {error_mode: ignore, span: ['" + condition + "']}",
        trace -> trace.any(reference));
  }

  private static Predicate<Trace> hasStatus(int status) {
    return trace -> trace.any(span -> span.status == status);
  }

  private static boolean isServerError(Object value) {
    return value instanceof Long code && code >= 500 && code <= 599;
  }

  private static Predicate<Object> finds(String pattern) {
    return value -> value instanceof String text && Pattern.compile(pattern).matcher(text).find();
  }

  private static Trace randomTrace(Random random, long id) {
    List<Span> spans = new ArrayList<>();
    int count = 1 + random.nextInt(7);
    long startNs =
        TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis()) - TimeUnit.HOURS.toNanos(1);
    for (int i = 0; i < count; i++) {
      Map<String, Object> attributes = new HashMap<>();
      maybe(random, attributes, "code");
      maybe(random, attributes, "tier");
      maybe(random, attributes, "cold");
      Map<String, Object> resource = new HashMap<>();
      resource.put("service.name", pick(random, SERVICES));
      if (random.nextInt(6) == 0) {
        resource.put("tier", "silver");
      }
      spans.add(
          new Span(
              pick(random, NAMES),
              1 + random.nextInt(5),
              random.nextInt(5) == 0 ? 2 : random.nextInt(2),
              startNs + random.nextInt(20) * MS,
              random.nextInt(120) * MS + random.nextInt((int) MS),
              random.nextInt(3) == 0 ? pick(random, STATES) : "",
              attributes,
              resource,
              random.nextInt(5) == 0 ? List.of("retry", "other") : List.of()));
    }
    return new Trace(id, spans);
  }

  /// Keys have values of several types.
  private static void maybe(Random random, Map<String, Object> attributes, String key) {
    if (random.nextInt(4) == 0) {
      attributes.put(
          key,
          switch (key) {
            case "code" ->
                switch (random.nextInt(4)) {
                  case 0 -> 503.5;
                  case 1 -> "503";
                  default -> (long) (400 + random.nextInt(250));
                };
            case "tier" ->
                random.nextInt(8) == 0
                    ? 7L
                    : pick(random, List.of("gold", "iron", "bronze", "tin"));
            default -> random.nextInt(8) == 0 ? "true" : random.nextBoolean();
          });
    }
  }

  private static <T> T pick(Random random, List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  private static SpanBatch encode(List<Trace> traces) {
    SpanBatch.Builder batch = new SpanBatch.Builder();
    for (Trace trace : traces) {
      long first = 0;
      for (int i = 0; i < trace.spans.size(); i++) {
        Span span = trace.spans.get(i);
        int resource = batch.addResource();
        add(batch, batch.resourceAttributes(), resource, span.resource);
        int row = batch.addSpan(batch.addScope(resource));
        batch.traceIdLow(row, trace.id);
        long id = trace.id * 100 + i + 1;
        batch.spanId(row, id);
        batch.parentSpanId(row, first);
        first = i == 0 ? id : first;
        batch.kind(row, (byte) span.kind);
        batch.statusCode(row, (byte) span.status);
        batch.name(row, batch.table().intern(span.name));
        batch.traceState(row, batch.table().intern(span.state));
        batch.startNs(row, span.startNs);
        batch.durationNs(row, span.durationNs);
        add(batch, batch.spanAttributes(), row, span.attributes);
        for (String event : span.events) {
          int at = batch.addEvent(row);
          batch.eventName(at, batch.table().intern(event));
          batch.eventTimeNs(at, span.startNs);
        }
      }
    }
    return batch.build();
  }

  private static void add(
      SpanBatch.Builder batch, Attributes.Builder attributes, int row, Map<String, Object> values) {
    values.forEach((key, value) -> {
      int name = batch.table().intern(key);
      switch (value) {
        case String text ->
            attributes.add(row, name, AttributeType.STRING, batch.table().intern(text));
        case Long number -> attributes.add(row, name, AttributeType.INT, number);
        case Double number ->
            attributes.add(row, name, AttributeType.DOUBLE, Double.doubleToRawLongBits(number));
        case Boolean bool -> attributes.add(row, name, AttributeType.BOOL, bool ? 1 : 0);
        default -> throw new IllegalArgumentException("no attribute: value=" + value);
      }
    });
  }
}
