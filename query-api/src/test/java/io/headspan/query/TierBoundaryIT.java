package io.headspan.query;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.summingLong;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.explain.MadeSpans;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A time of which a real sampler has moved the first half to the kept tier: of the traces there it
/// kept those with errors and half of the others. Of the second half all spans are recent; those
/// kept are in the kept tier already, and count once. Some traces lie in both halves. Every third
/// trace stands for four before anything is sampled here.
class TierBoundaryIT {
  private static final long NOON = Instant.parse("2026-11-20T12:00:00Z").getEpochSecond();
  private static final long NS_PER_SECOND = 1_000_000_000L;
  private static final int MINUTES = 20;

  /// From here on spans are recent; windows are of five minutes.
  private static final int BOUNDARY_MINUTE = 10;

  private static final int WINDOW_MINUTES = 5;
  private static final int EACH_MINUTE = 24;
  private static final double QUANTILE_ERROR = 0.011;
  private static final String RANGE = "start=" + NOON + "&end=" + (NOON + MINUTES * 60);
  private static final Function SHOP = new Function("acme", "shop", "1");
  private static final Function STOCK = new Function("acme", "stock", "1");

  private static final String POLICIES =
      """
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: rest, type: probabilistic, probabilistic: {sampling_percentage: 50}}
      """;

  /// A span that was sent.
  ///
  /// @param minute of its start, from noon on
  /// @param stands for how many, before our own sampling
  /// @param fails whether its trace is kept for an error
  private record Sent(
      long traceId,
      long spanId,
      long parentId,
      Function function,
      boolean isServer,
      int minute,
      double durationMs,
      long stands,
      boolean fails,
      String item) {}

  @TempDir static Path directory;
  private static RunningApi api;
  private static final List<Sent> sent = new ArrayList<>();
  private static final MadeSpans[] windows = new MadeSpans[MINUTES / WINDOW_MINUTES];
  private static Set<Long> kept = Set.of();
  private static long nextId = 1;

  @BeforeAll
  static void start() throws Exception {
    for (int window = 0; window < windows.length; window++) {
      windows[window] = new MadeSpans();
    }
    for (int minute = 0; minute < MINUTES; minute++) {
      for (int i = 0; i < EACH_MINUTE; i++) {
        invocation(minute, i);
      }
    }
    api = RunningApi.start(directory, List.of());
    long boundary = NOON + (BOUNDARY_MINUTE - WINDOW_MINUTES) * 60L;
    int first = BOUNDARY_MINUTE / WINDOW_MINUTES;
    api.sendSampled(
        requests(0, first),
        POLICIES,
        "1s",
        SqlQuery.of("SELECT max(toUnixTimestamp(window)) >= " + boundary + " FROM tier_boundary"));
    kept =
        new HashSet<>(
            api.store()
                .query(
                    SqlQuery.of(
                        "SELECT reinterpretAsInt64(reverse(substring(trace_id, 9, 8))) FROM decisions GROUP BY trace_id HAVING max(kept)"),
                    row -> row.integer(0)));
    api.sendSampled(
        requests(first, windows.length),
        POLICIES,
        "1h",
        SqlQuery.of(
            "SELECT count() > 0 FROM kept_spans WHERE toUnixTimestamp(window) > " + boundary));
    assertThat(number("SELECT max(toUnixTimestamp(window)) FROM tier_boundary"))
        .isEqualTo(boundary);
    assertThat(shown(span -> span.minute < BOUNDARY_MINUTE && !span.fails).size())
        .as("spans of traces that were kept by chance")
        .isBetween(EACH_MINUTE * 2, EACH_MINUTE * BOUNDARY_MINUTE * 2);
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  /// Of the shop, which calls the stock. The last traces before the boundary go on behind it.
  private static void invocation(int minute, int i) {
    // The sampler's hash is for random ids: those of small numbers are all kept, or none.
    long traceId = nextId++ * 0x9e37_79b9_7f4a_7c15L;
    long startNs = (NOON + minute * 60L) * NS_PER_SECOND + NS_PER_SECOND / 2 + i * NS_PER_SECOND;
    double durationMs = (minute < BOUNDARY_MINUTE ? 5 : 40) + i;
    long stands = i % 3 == 0 ? 4 : 1;
    boolean splits = minute == BOUNDARY_MINUTE - 1;
    boolean fails = i % 8 == 1 && !splits;
    MadeSpans spans = windows[minute / WINDOW_MINUTES];
    spans.traceState(stands == 4 ? "ot=th:c" : "");
    long served = served(spans, traceId, 0, SHOP, minute, startNs, durationMs, stands, fails);
    spans.nextId(nextId++);
    long called = spans.called(SHOP, traceId, served, startNs + 1, durationMs / 2, fails);
    sent.add(
        new Sent(traceId, called, served, SHOP, false, minute, durationMs / 2, stands, fails, ""));
    var _ =
        served(spans, traceId, called, STOCK, minute, startNs + 2, durationMs / 4, stands, fails);
    if (splits) {
      MadeSpans behind = windows[BOUNDARY_MINUTE / WINDOW_MINUTES];
      behind.traceState(stands == 4 ? "ot=th:c" : "");
      var _ =
          served(
              behind,
              traceId,
              served,
              STOCK,
              minute + 1,
              startNs + 60 * NS_PER_SECOND,
              durationMs,
              stands,
              false);
    }
  }

  private static long served(
      MadeSpans spans,
      long traceId,
      long parentId,
      Function function,
      int minute,
      long startNs,
      double durationMs,
      long stands,
      boolean fails) {
    spans.nextId(nextId++);
    String item = "item-" + nextId;
    long spanId =
        spans.served(
            function,
            traceId,
            parentId,
            startNs,
            new Times(durationMs, 0, durationMs, 0, 0, 0),
            Map.of("item", item));
    sent.add(
        new Sent(
            traceId, spanId, parentId, function, true, minute, durationMs, stands, fails, item));
    return spanId;
  }

  /// A request for each window: a batch is of the window of its last span.
  private static List<ExportTraceServiceRequest> requests(int from, int to) {
    return Stream.of(windows)
        .skip(from)
        .limit(to - from)
        .flatMap(spans -> spans.requests().stream())
        .toList();
  }

  private static long number(String sql) {
    return api.store().query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  /// Spans that are there: all recent ones, and those of kept traces.
  private static List<Sent> shown(Predicate<Sent> which) {
    return sent.stream()
        .filter(which)
        .filter(span -> span.minute >= BOUNDARY_MINUTE || kept.contains(span.traceId))
        .toList();
  }

  /// For how many it stands: half of those traces were kept that had no error.
  private static long standsFor(Sent span) {
    return span.stands * (span.minute < BOUNDARY_MINUTE && !span.fails ? 2 : 1);
  }

  private static long all(List<Sent> spans) {
    return spans.stream().mapToLong(TierBoundaryIT::standsFor).sum();
  }

  private static String hex(long traceId) {
    return "0000000000001234%016x".formatted(traceId);
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  private static JsonNode metrics(String kind, String query) throws Exception {
    JsonNode answer =
        json("/api/metrics/" + kind + "?q=" + TestHttp.encoded(query) + "&step=60s&" + RANGE);
    assertThat(answer.get("status").asText()).isEqualTo("COMPLETE");
    return answer.get("series");
  }

  @Test
  void searchFindsEverySpanOnce() throws Exception {
    Map<String, Long> expected =
        shown(Sent::isServer).stream()
            .collect(groupingBy(span -> hex(span.traceId), TreeMap::new, summingLong(_ -> 1)));
    JsonNode answer =
        json(
            "/api/search?limit=5000&spss=100&q="
                + TestHttp.encoded("{ kind = server }")
                + "&"
                + RANGE);
    Map<String, Long> found = new TreeMap<>();
    for (JsonNode trace : answer.get("traces")) {
      JsonNode spanSet = trace.get("spanSets").get(0);
      Set<String> ids = new TreeSet<>();
      spanSet.get("spans").forEach(span -> ids.add(span.get("spanID").asText()));
      assertThat(ids).hasSize(spanSet.get("matched").asInt());
      String id = trace.get("traceID").asText();
      found.put("0".repeat(32 - id.length()) + id, spanSet.get("matched").asLong());
    }
    assertThat(found).isEqualTo(expected);
  }

  /// Each span has one of its own.
  @Test
  void valuesAreThoseOfBothTiers() throws Exception {
    Set<String> found = new TreeSet<>();
    json("/api/v2/search/tag/span.item/values?" + RANGE)
        .get("tagValues")
        .forEach(value -> found.add(value.get("value").asText()));
    assertThat(found)
        .isEqualTo(
            shown(Sent::isServer).stream()
                .map(Sent::item)
                .collect(Collectors.toCollection(TreeSet::new)));
  }

  @Test
  void ratesCountWhatSpansStandFor() throws Exception {
    JsonNode series =
        metrics("query_range", "{ kind = server } | rate() by (resource.service.name)");
    assertThat(series).hasSize(2);
    for (JsonNode each : series) {
      String service = each.at("/labels/0/value/stringValue").asText();
      long[] expected = new long[MINUTES];
      shown(span -> span.isServer && span.function.service().equals(service))
          .forEach(span -> expected[span.minute] += standsFor(span));
      double[] found = new double[MINUTES];
      for (JsonNode sample : each.get("samples")) {
        int minute = (int) ((sample.get("timestampMs").asLong() / 1000 - NOON) / 60) - 1;
        if (minute >= 0) {
          found[minute] = sample.get("value").asDouble() * 60;
        }
      }
      for (int minute = 0; minute < MINUTES; minute++) {
        assertThat(found[minute])
            .as("%s, minute %d", service, minute)
            .isCloseTo((double) expected[minute], within(1e-6));
      }
    }
    JsonNode one = metrics("query", "{} | count_over_time()");
    assertThat(one.at("/0/value").asLong()).isEqualTo(all(shown(_ -> true)));
  }

  @Test
  void quantilesWeighWhatSpansStandFor() throws Exception {
    long[] nanos =
        shown(span -> span.function.equals(SHOP) && span.isServer).stream()
            .flatMapToLong(span ->
                LongStream.generate(() -> Math.round(span.durationMs * 1e6)).limit(standsFor(span)))
            .sorted()
            .toArray();
    String query =
        "{ kind = server && resource.service.name = `shop` } | quantile_over_time(duration, .25, .5, .9)";
    JsonNode series = metrics("query", query);
    assertThat(series).hasSize(3);
    for (JsonNode each : series) {
      double quantile = each.at("/labels").findValue("doubleValue").asDouble();
      int rank = (int) Math.floor(quantile * (nanos.length - 1));
      assertThat(each.get("value").asDouble() * 1e9)
          .as("quantile %s", quantile)
          .isBetween(
              nanos[Math.max(rank - 1, 0)] * (1 - QUANTILE_ERROR),
              nanos[rank + 1] * (1 + QUANTILE_ERROR));
    }
  }

  @Test
  void explainCountsWhatSpansStandFor() throws Exception {
    int from = BOUNDARY_MINUTE - 5;
    int to = BOUNDARY_MINUTE + 5;
    JsonNode answer =
        json(
            "/api/headspan/v1/explain?service=shop&from=%d&to=%d&baseline=%d/%d"
                .formatted(NOON + from * 60L, NOON + to * 60L, NOON, NOON + from * 60L));
    List<Sent> range =
        shown(span ->
            span.function.equals(SHOP) && span.isServer && span.minute >= from && span.minute < to);
    List<Sent> baseline =
        shown(span -> span.function.equals(SHOP) && span.isServer && span.minute < from);
    assertThat(answer.at("/range/invocations").asLong()).isEqualTo(all(range));
    assertThat(answer.at("/baseline/invocations").asLong()).isEqualTo(all(baseline));
    double sumMs = range.stream().mapToDouble(span -> span.durationMs * standsFor(span)).sum();
    assertThat(answer.at("/range/meanMs").asDouble()).isCloseTo(sumMs / all(range), within(1e-6));
  }

  /// A call is known if both of its spans are.
  @Test
  void jaegerAndTheServiceGraphCountCallsOnce() throws Exception {
    Map<Long, Sent> byId =
        shown(_ -> true).stream().collect(Collectors.toMap(Sent::spanId, span -> span));
    Map<String, Long> expected = new TreeMap<>();
    for (Sent span : byId.values()) {
      Sent parent = byId.get(span.parentId);
      if (parent != null) {
        String call = parent.function.service() + " " + span.function.service();
        expected.merge(call, standsFor(span), Long::sum);
      }
    }
    Map<String, Long> found = new TreeMap<>();
    json("/api/dependencies?lookback=%d&endTs=%d"
            .formatted(MINUTES * 60_000, (NOON + MINUTES * 60L) * 1000))
        .get("data")
        .forEach(call ->
            found.put(
                call.get("parent").asText() + " " + call.get("child").asText(),
                call.get("callCount").asLong()));
    assertThat(found).isEqualTo(expected);

    JsonNode edges =
        json("/api/headspan/v1/service-graph?from=%d&to=%d".formatted(NOON, NOON + MINUTES * 60L))
            .get("edges");
    assertThat(edges).hasSize(1);
    assertThat(edges.at("/0/calls").asLong()).isEqualTo(all(shown(span -> !span.isServer)));
  }

  @Test
  void aTraceOfBothTiersIsOne() throws Exception {
    Map<Long, List<Sent>> split =
        shown(span -> span.minute == BOUNDARY_MINUTE - 1 || span.minute == BOUNDARY_MINUTE).stream()
            .collect(groupingBy(Sent::traceId));
    int both = 0;
    for (Map.Entry<Long, List<Sent>> trace : split.entrySet()) {
      List<Sent> spans = trace.getValue();
      if (spans.stream().map(Sent::minute).distinct().count() == 2) {
        both++;
        List<JsonNode> ids = new ArrayList<>();
        json("/api/v2/traces/" + hex(trace.getKey())).findValues("spanId").forEach(ids::add);
        assertThat(ids).hasSize(spans.size()).doesNotHaveDuplicates();
      }
    }
    assertThat(both).isPositive();
  }

  /// Made before anything is sampled here.
  @Test
  void rollupsCountAllThatWasSent() throws Exception {
    long expected =
        sent.stream()
            .filter(span -> span.function.equals(SHOP) && span.isServer)
            .mapToLong(Sent::stands)
            .sum();
    JsonNode functions = json("/api/headspan/v1/functions?" + RANGE).get("functions");
    JsonNode shop =
        Stream.of(functions.get(0), functions.get(1))
            .filter(each -> each.get("service").asText().equals("shop"))
            .findFirst()
            .orElseThrow();
    assertThat(shop.get("count").asLong()).isEqualTo(expected);
  }
}
