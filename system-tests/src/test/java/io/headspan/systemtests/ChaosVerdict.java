package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.systemtests.ChaosTraffic.Served;
import io.headspan.systemtests.ChaosTraffic.Source;
import io.headspan.systemtests.ChaosTraffic.Sums;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// Holds what a store has after all was acknowledged and decided against [ChaosTraffic]: tiers,
/// decisions, rollups, ledgers.
final class ChaosVerdict {
  /// Of a trace id, [ChaosTraffic]'s kind, batch and number.
  private static final String KIND =
      "bitShiftRight(reinterpretAsUInt64(reverse(substring(trace_id, 1, 8))), 48)";

  private static final String BATCH =
      "bitAnd(reinterpretAsUInt64(reverse(substring(trace_id, 1, 8))), 0xFFFFFFFFFFFF)";
  private static final String TRACE = "reinterpretAsUInt64(reverse(substring(trace_id, 9, 8))) - 1";

  private static final String IS_SHARED = KIND + " = " + ChaosTraffic.SHARED_KIND;

  /// How many spans a trace has.
  private static final String SPANS =
      "if(%s, %d, %d)"
          .formatted(IS_SHARED, ChaosTraffic.SPANS_OF_SHARED, ChaosTraffic.SPANS_OF_TRACE);

  /// Whether a trace has an error: then it is kept.
  private static final String FAILED =
      "(%s) %% if(%s, %d, %d) = 0"
          .formatted(TRACE, IS_SHARED, ChaosTraffic.SHARED_FAILS_EACH, ChaosTraffic.FAILS_EACH);

  private static final long HOUR = 3600;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final ChaosTraffic traffic;
  private final ChaosSenders senders;
  private final SpanStore store;
  private final String queryAddress;
  private final String seed;
  private long closedWindows;
  private long droppedWindows;
  private long keptSpans;
  private long comparedCalls;

  /// @param queryAddress of the query API on the store
  /// @param seed how to repeat the run
  ChaosVerdict(
      ChaosTraffic traffic,
      ChaosSenders senders,
      SpanStore store,
      String queryAddress,
      String seed) {
    this.traffic = traffic;
    this.senders = senders;
    this.store = store;
    this.queryAddress = queryAddress;
    this.seed = seed;
  }

  @Override
  public String toString() {
    return "traces=%d, keptSpans=%d, closedWindows=%d, droppedWindows=%d, comparedCalls=%d"
        .formatted(traces(), keptSpans, closedWindows, droppedWindows, comparedCalls);
  }

  /// Waits until every trace that was sent is decided with all its spans, and what is kept copied.
  void awaitDecisions() {
    String decided =
        "SELECT countIf(r = "
            + SPANS
            + ") FROM (SELECT trace_id, argMax(rows, batch) AS r FROM decisions GROUP BY trace_id)";
    Await.until(
        "every trace is decided, and what is kept copied",
        () ->
            seed
                + ", decided="
                + number(decided)
                + " of "
                + traces()
                + ", uncopied="
                + store.tiers().uncopied(0),
        () -> number(decided) == traces() && store.tiers().uncopied(0).isEmpty());
  }

  /// With nothing going on any more in the store.
  void check() throws IOException, InterruptedException {
    checkServiceGraph();
    checkBooks();
    checkDecisions();
    checkKeptTier();
    checkRecentTier();
    checkSamplingLedger();
    checkTraceSummary();
    checkLatency();
  }

  /// The agents' own books: all that was captured is acknowledged, nothing dropped, nothing held.
  private void checkBooks() {
    senders
        .books()
        .forEach((source, row) ->
            assertThat(
                    List.of(
                        row.captured() - sent(source),
                        row.acknowledged() - sent(source),
                        row.recovered(),
                        row.inMemory(),
                        row.spooled(),
                        row.droppedTotal(),
                        row.imbalance()))
                .as("books of the agent %s: %s, %s", source, row, seed)
                .containsOnly(0L));
  }

  private void checkDecisions() {
    assertNone(
        "traces that were never sent are decided",
        "SELECT count() FROM decisions WHERE NOT (" + isSent() + ")");
    assertNone(
        "a trace that came in one batch is decided more than once",
        "SELECT count() FROM (SELECT trace_id FROM decisions GROUP BY trace_id"
            + " HAVING count() > if("
            + IS_SHARED
            + ", 2, 1))");
    assertNone(
        "a trace is decided twice on the same spans",
        "SELECT count() FROM (SELECT trace_id, rows FROM decisions GROUP BY trace_id, rows"
            + " HAVING count() > 1)");
    assertNone(
        "a trace with an error is not kept",
        "SELECT count() FROM (SELECT trace_id, max(kept) AS k FROM decisions GROUP BY trace_id)"
            + " WHERE NOT k AND "
            + FAILED);
    long others =
        number(
            "SELECT uniqExact(trace_id) FROM decisions WHERE NOT ("
                + FAILED
                + ")"
                + " AND "
                + KIND
                + " != "
                + ChaosTraffic.SHARED_KIND);
    long kept =
        number(
            "SELECT uniqExactIf(trace_id, kept) FROM decisions WHERE NOT ("
                + FAILED
                + ") AND "
                + KIND
                + " != "
                + ChaosTraffic.SHARED_KIND);
    assertThat((double) kept / others).as("share of others that is kept").isBetween(0.07, 0.13);
  }

  /// Every trace that was decided to be kept, whole, each span once; and nothing else.
  private void checkKeptTier() {
    keptSpans = number("SELECT count() FROM kept_spans");
    assertNone(
        "a kept trace is not whole, or has spans twice",
        "SELECT count() FROM (SELECT trace_id, count() AS c, uniqExact(span_id) AS u"
            + " FROM kept_spans GROUP BY trace_id) WHERE c != "
            + SPANS
            + " OR u != c");
    assertNone(
        "kept spans and decisions are of other traces",
        """
        SELECT count() FROM
        (
            SELECT trace_id FROM
            (SELECT DISTINCT trace_id, 1 AS side FROM kept_spans
             UNION ALL SELECT DISTINCT trace_id, 2 AS side FROM decisions WHERE kept)
            GROUP BY trace_id HAVING count() != 2
        )
        """);
    assertNone(
        "a kept span of a trace in one batch stands for the wrong number",
        "SELECT countIf(abs(adjusted_count - if("
            + FAILED
            + ", 1, 10)) > 0.01) FROM kept_spans WHERE NOT ("
            + IS_SHARED
            + ")");
  }

  /// Each window that is still there has all that was sent for it, each span once; of those that
  /// are gone all is decided, which [#awaitDecisions] has seen. What is read through the view of
  /// both tiers is there once too.
  private void checkRecentTier() {
    Map<Long, Long> expected = sentByWindow();
    Map<Long, Long> stored = numbers("SELECT toUnixTimestamp(window), count() FROM recent_spans");
    long boundary = store.tiers().boundarySeconds();
    assertThat(expected.keySet()).as(seed).containsAll(stored.keySet());
    expected.forEach((window, spans) -> {
      if (window <= boundary && stored.getOrDefault(window, 0L) == 0) {
        droppedWindows++;
      } else if (window > boundary) {
        assertThat(stored.get(window)).as("spans of window %d, %s", window, seed).isEqualTo(spans);
      } else {
        // It may be gone in part.
        assertThat(stored.get(window)).as("window %d, %s", window, seed).isLessThanOrEqualTo(spans);
      }
    });
    for (String table : List.of("recent_spans", "spans")) {
      assertThat(number("SELECT count() - uniqExact(trace_id, span_id) FROM " + table))
          .as("spans that are twice in %s, %s", table, seed)
          .isZero();
    }
    long late =
        expected.entrySet().stream()
            .filter(each -> each.getKey() > boundary)
            .mapToLong(Map.Entry::getValue)
            .sum();
    assertThat(
            number("SELECT count() FROM spans WHERE window > toDateTime(" + boundary + ", 'UTC')"))
        .as(seed)
        .isEqualTo(late);
  }

  /// What became of the windows that were closed: all of their spans, but for those that came after
  /// that.
  private void checkSamplingLedger() {
    Map<Long, Long> expected = sentByWindow();
    Map<Long, Long> closed =
        numbers("SELECT toUnixTimestamp(window), sum(spans) FROM sampling_ledger");
    Map<Long, Long> settled =
        numbers(
            """
            SELECT toUnixTimestamp(window), count() FROM
            (
                SELECT window, max(arrived) AS last FROM trace_arrivals GROUP BY window
            ) AS arrivals
            INNER JOIN
            (
                SELECT window, min(closed) AS at FROM sampling_ledger GROUP BY window
            ) AS closings USING (window)
            WHERE last < at - INTERVAL 10 SECOND\
            """);
    closedWindows = closed.size();
    closed.forEach((window, spans) -> {
      if (settled.containsKey(window)) {
        assertThat(spans)
            .as("ledger of window %d, %s", window, seed)
            .isEqualTo(expected.get(window));
      } else {
        assertThat(spans)
            .as("ledger of window %d, %s", window, seed)
            .isLessThanOrEqualTo(expected.get(window));
      }
    });
    assertNone(
        "spans were given up undecided",
        "SELECT sum(spans) FROM sampling_ledger WHERE state = 'recent_overrun'");
  }

  private void checkTraceSummary() {
    assertThat(number("SELECT uniqExact(trace_id) FROM trace_summary"))
        .as(seed)
        .isEqualTo(traces());
    assertNone(
        "a trace's summary is wrong",
        "SELECT count() FROM (SELECT trace_id, sum(spans) AS s, sum(errors) AS e, max(root).1 AS r"
            + " FROM trace_summary GROUP BY trace_id) WHERE s != "
            + SPANS
            + " OR e != toUInt64("
            + FAILED
            + ") OR r != 1");
  }

  /// Invocations, times and what bills are made of, by service, operation and status, by the minute
  /// and by the hour.
  private void checkLatency() {
    Map<Served, Sums> minutes = new HashMap<>();
    for (Source source : Source.values()) {
      for (int number = 1; number <= senders.batches(source); number++) {
        traffic.addServed(source, number, minutes);
      }
    }
    Map<Served, Sums> hours = new HashMap<>();
    minutes.forEach(
        (served, sums) -> hours.merge(served.from(served.slot() / HOUR * HOUR), sums, Sums::plus));
    assertServed("latency_minute", "SELECT *, minute AS slot FROM latency_minute", minutes);
    assertServed("minutes", "SELECT * FROM latency_slots WHERE seconds = 60", minutes);
    assertServed("hours", "SELECT * FROM latency_slots WHERE seconds = 3600", hours);
  }

  private void assertServed(String what, String rows, Map<Served, Sums> expected) {
    Map<Served, Sums> stored = new HashMap<>();
    store
        .query(
            SqlQuery.of(
                """
                SELECT toUnixTimestamp(slot), toString(service), toString(operation), status,
                    sum(invocations), sum(duration_sum), sum(billed_ms), sum(cpu_ns)
                FROM (%s) GROUP BY slot, service, operation, status
                """
                    .formatted(rows)),
            row ->
                Map.entry(
                    new Served(row.integer(0), row.text(1), row.text(2), (int) row.integer(3)),
                    new Sums(row.integer(4), row.integer(5), row.integer(6), row.integer(7))))
        .forEach(each -> stored.put(each.getKey(), each.getValue()));
    assertThat(stored.keySet())
        .as("%s, %s", what, seed)
        .containsExactlyInAnyOrderElementsOf(expected.keySet());
    expected.forEach((served, sums) ->
        assertThat(stored.get(served)).as("%s: %s, %s", what, served, seed).isEqualTo(sums));
  }

  /// Who called whom, of the batches that are all in the recent tier: those of closed windows are
  /// told by the kept ones. On a machine that is so slow that all are closed there is nothing to
  /// compare, which the summary says.
  private void checkServiceGraph() throws IOException, InterruptedException {
    long boundary = store.tiers().boundarySeconds();
    long firstNs = traffic.startNs(Source.LEFT, 1);
    for (Source source : Source.values()) {
      for (int number = 1; number <= senders.batches(source); number++) {
        if (traffic.window(source, number) <= boundary) {
          firstNs = Math.max(firstNs, traffic.startNs(source, number + 1));
        }
      }
    }
    long toNs = firstNs + 1;
    Map<String, Long> expected = new TreeMap<>();
    for (Source source : Source.values()) {
      int number = 1;
      while (traffic.startNs(source, number) < firstNs) {
        number++;
      }
      toNs = Math.max(toNs, traffic.startNs(source, senders.batches(source) + 1));
      long batches = Math.max(0, senders.batches(source) - number + 1);
      if (batches > 0) {
        expected.put(
            source.service("front") + " -> " + source.service("back"),
            batches * ChaosTraffic.TRACES);
      }
      if (batches > 0 && source == Source.LEFT) {
        expected.put(
            Source.LEFT.service("front") + " -> " + Source.RIGHT.service("back"),
            batches * ChaosTraffic.SHARED_TRACES);
      }
    }
    if (expected.isEmpty()) {
      return;
    }
    comparedCalls = expected.values().stream().mapToLong(Long::longValue).sum();
    Map<String, Long> edges = new TreeMap<>();
    ask("/api/headspan/v1/service-graph?from=" + firstNs + "&to=" + (toNs - 1))
        .path("edges")
        .forEach(edge ->
            edges.put(
                edge.path("caller").asText() + " -> " + edge.path("callee").asText(),
                edge.path("calls").asLong()));
    assertThat(edges).as(seed).isEqualTo(expected);
  }

  /// The ledger that the store was told: it balances, all is acknowledged, and no collector left
  /// anything out.
  ///
  /// @param since when the first span was sent
  void awaitLedger(Instant since) throws IOException, InterruptedException {
    String path =
        "/api/headspan/v1/ledger?from="
            + since.getEpochSecond()
            + "&to="
            + Instant.now().plusSeconds(60).getEpochSecond();
    Map<String, Long> expected = new TreeMap<>();
    for (Source source : List.of(Source.LEFT, Source.RIGHT)) {
      for (String state : List.of("acknowledged", "captured")) {
        expected.put("chaos-" + source.tenant() + " " + state, sent(source));
      }
    }
    Map<String, Long> told = new TreeMap<>();
    Await.until(
        "the agents' last books are stored",
        () -> seed + ", " + told,
        () -> {
          told.clear();
          JsonNode ledger = ask(path);
          assertThat(ledger.path("leftOut")).isEmpty();
          ledger
              .path("nodes")
              .forEach(node ->
                  told.put(
                      node.path("host").asText() + " " + node.path("state").asText(),
                      node.path("spans").asLong()));
          return told.equals(expected);
        });
  }

  private JsonNode ask(String path) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + queryAddress + path)).build();
    try (HttpClient http = HttpClient.newHttpClient()) {
      HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
      assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
      return JSON.readTree(response.body());
    } catch (IOException e) {
      throw new AssertionError("the query API does not answer: path=" + path, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  /// Spans that were sent, by the window of the recent tier that they belong to.
  private Map<Long, Long> sentByWindow() {
    Map<Long, Long> sent = new TreeMap<>();
    for (Source source : Source.values()) {
      for (int number = 1; number <= senders.batches(source); number++) {
        var _ =
            sent.merge(
                traffic.window(source, number), (long) ChaosTraffic.spans(source), Long::sum);
      }
    }
    return sent;
  }

  private long sent(Source source) {
    return (long) senders.batches(source) * ChaosTraffic.spans(source);
  }

  /// Traces that were sent.
  private long traces() {
    return (senders.batches(Source.LEFT) * 2L + senders.batches(Source.OTLP)) * ChaosTraffic.TRACES
        + (long) senders.batches(Source.LEFT) * ChaosTraffic.SHARED_TRACES;
  }

  private String isSent() {
    return BATCH
        + " BETWEEN 1 AND if("
        + KIND
        + " = "
        + Source.OTLP.kind
        + ", "
        + senders.batches(Source.OTLP)
        + ", "
        + senders.batches(Source.LEFT)
        + ") AND ("
        + TRACE
        + ") < if("
        + IS_SHARED
        + ", "
        + ChaosTraffic.SHARED_TRACES
        + ", "
        + ChaosTraffic.TRACES
        + ")";
  }

  private void assertNone(String what, String sql) {
    assertThat(number(sql)).as("%s, %s", what, seed).isZero();
  }

  private long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }

  /// Numbers by number, of a statement without its GROUP BY window.
  private Map<Long, Long> numbers(String sql) {
    Map<Long, Long> numbers = new TreeMap<>();
    store
        .query(
            SqlQuery.of(sql + " GROUP BY window"), row -> Map.entry(row.integer(0), row.integer(1)))
        .forEach(each -> numbers.put(each.getKey(), each.getValue()));
    return numbers;
  }
}
