package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.RandomTraces;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.traceql.MemorySearch;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.trace.v1.Span;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Searches over a day that look at its end first: what they give of it is what an evaluation of
/// all spans in memory gives, of traces that take hours too.
class SearchSlicesIT {
  private static final long SEED = Long.getLong("headspan.seed", 20261122);
  private static final int LIMIT = 8;
  private static final long START_S = 1_795_128_600;
  private static final long DAY_S = Duration.ofDays(1).toSeconds();
  private static final long LONGEST_S = Duration.ofHours(2).toSeconds();
  private static final long NS = 1_000_000_000;

  @TempDir static Path directory;

  private static RunningApi api;
  private static MemorySearch memory;

  /// When spans start, by id.
  private static final Map<String, Long> STARTS = new HashMap<>();

  private static final Set<String> SHORT = new HashSet<>();

  @BeforeAll
  static void start() throws Exception {
    RandomTraces random = new RandomTraces(SEED);
    List<ExportTraceServiceRequest> traces = new ArrayList<>();
    traces.addAll(random.next(300, START_S * NS, DAY_S * NS, 1_000));
    // It has more matching spans than are read of all traces together.
    traces.add(random.trace(LIMIT * 12, (START_S + DAY_S) * NS - 1_000_000, 1_000));
    traces.forEach(trace -> spans(trace).forEach(span -> SHORT.add(traceId(span))));
    // Many of them cross a limit between two slices, and look different from behind it.
    traces.addAll(
        random.next(60, START_S * NS, (DAY_S - LONGEST_S) * NS, Duration.ofMinutes(7).toNanos()));
    traces.forEach(trace ->
        spans(trace).forEach(span -> STARTS.put(spanId(span), span.getStartTimeUnixNano())));
    memory = new MemorySearch(traces);
    api = RunningApi.start(directory, traces);
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  private static Stream<Span> spans(ExportTraceServiceRequest request) {
    return request.getResourceSpansList().stream()
        .flatMap(resource -> resource.getScopeSpansList().stream())
        .flatMap(scope -> scope.getSpansList().stream());
  }

  private static String traceId(Span span) {
    return HexFormat.of().formatHex(span.getTraceId().toByteArray());
  }

  private static String spanId(Span span) {
    return HexFormat.of().formatHex(span.getSpanId().toByteArray());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{ name = `a` } >> { name = `b` }",
        "{ name = `a` } !>> { name = `b` }",
        "{ status = error } !~ { name = `c` }",
        "{} | count() < 4",
        "{ span.n > 1 } | by(name) | count() > 1",
        "{ name = `a` } && { name = `b` } && { name = `c` }",
        "{ span.n = parent.span.n }",
        "{} | count() = 1 | select(nestedSetLeft)",
        "{ name = `a` && span.n = 5 && status = error }",
        "{ name = `a` }",
        "{}",
        "{ name = `a` && status = error } > { name = `a` && span.n = 5 && status = error }"
      })
  void theNewestTracesAreWhatTheyAreInAll(String query) throws Exception {
    Map<String, List<String>> all = memory.search(query);
    Map<String, List<String>> found = search(query);
    assertThat(found).hasSize(Math.min(LIMIT, all.size()));
    assertThat(all).containsAllEntriesOf(found);
    long oldest = found.values().stream().mapToLong(SearchSlicesIT::newest).min().orElse(0);
    all.forEach((trace, sets) -> {
      if (SHORT.contains(trace) && !found.containsKey(trace)) {
        assertThat(newest(sets)).as("newest of %s", trace).isLessThanOrEqualTo(oldest);
      }
    });
  }

  /// When the newest of the spans starts whose ids are written here.
  private static long newest(List<String> sets) {
    return sets.stream()
        .flatMap(set -> Stream.of(set.split("[^0-9a-f]+", -1)))
        .filter(id -> !id.isEmpty())
        .mapToLong(STARTS::get)
        .max()
        .orElseThrow();
  }

  private static Map<String, List<String>> search(String query) throws Exception {
    HttpResponse<byte[]> response =
        api.get(
            "/api/search?limit=%d&spss=1000&start=%d&end=%d&q=%s"
                .formatted(LIMIT, START_S, START_S + DAY_S + 1, TestHttp.encoded(query)),
            "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return RecordedSearch.spanIds(RecordedSearch.JSON.readTree(response.body()));
  }
}
