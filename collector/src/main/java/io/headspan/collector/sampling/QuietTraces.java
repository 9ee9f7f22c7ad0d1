package io.headspan.collector.sampling;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/// Finds the traces that are to be decided, and what policies ask of them.
///
/// A trace is to be decided if it is quiet, which means that nothing of it arrived for a while, and
/// there is more of it, or something later, than when it was decided last. Less of it is left when
/// one of its windows was dropped. Looking at the arrivals of the last half minute finds nearly
/// all; only those whose beginning is not among them are looked up in all that is recent.
final class QuietTraces {
  private static final int TRACE_SPANS_MAX = 100_000;

  private static final SpanBatch NO_SPANS = new SpanBatch.Builder(1).build();

  /// Traces in memory at once.
  private static final int WHOLE_MAX = 500;

  /// So that the text of a statement stays small.
  private static final int IDS_MAX = 20_000;

  /// Rows may show this long after the moment that is written on them: an insert takes its time.
  static final Duration INSERT_LIMIT = Duration.ofSeconds(20);

  private final SpanStore store;
  private final Duration memory;
  private final boolean needsSize;
  private final List<Policy.Condition> asked;
  private final boolean needsWhole;
  private final boolean needsTenant;
  private final Histories histories = Histories.of(Map.of());

  /// @param memory for how long a trace counts as decided when more of it comes
  /// @param policies those that will be asked about the traces
  QuietTraces(SpanStore store, Duration memory, SamplingPolicies policies) {
    this.store = store;
    this.memory = memory;
    List<Policy.Condition> conditions = policies.conditions();
    needsSize = policies.needSize();
    needsTenant = policies.needTenant();
    asked =
        conditions.stream().filter(each -> ConditionSql.of(each, histories).isPresent()).toList();
    needsWhole =
        conditions.stream()
            .anyMatch(each -> !ConditionSql.isOfSummary(each) && !asked.contains(each));
  }

  /// When traces count as quiet.
  ///
  /// @param afterLast after the last span
  /// @param afterRoot after the last span if the root has ended and nothing is open
  record Quiet(Duration afterLast, Duration afterRoot) {}

  /// Traces that are quiet at `nowMillis`, in the order of their last arrivals.
  ///
  /// @param sinceMillis only those of which something arrived since
  /// @param limit the most of them
  List<StoredTrace> find(long nowMillis, long sinceMillis, Quiet quiet, int limit) {
    String isQuiet =
        "latest <= fromUnixTimestamp64Milli({wait:Int64}, 'UTC') OR (origin.1 = 1 AND open <= 0"
            + " AND latest <= fromUnixTimestamp64Milli({root:Int64}, 'UTC'))";
    List<StoredTrace> found =
        summaries(
            "arrived > fromUnixTimestamp64Milli({since:Int64}, 'UTC')",
            isQuiet,
            "batch >= intDiv({since:Int64}, 1000) * 1000",
            query -> bind(query, nowMillis, sinceMillis, quiet).bind("limit", limit));
    List<StoredTrace> traces = new ArrayList<>();
    List<StoredTrace> older = new ArrayList<>();
    for (StoredTrace trace : found) {
      boolean whole = trace.complete() && trace.startNs() >= sinceMillis * 1_000_000;
      (whole ? traces : older).add(trace);
    }
    traces.addAll(whole(older, nowMillis));
    traces.sort(
        Comparator.comparingLong(StoredTrace::lastMillis)
            .thenComparing(StoredTrace::traceIdHigh, Long::compareUnsigned)
            .thenComparing(StoredTrace::traceIdLow, Long::compareUnsigned));
    return traces;
  }

  /// All traces of a window that are not decided as they are.
  List<StoredTrace> ofWindow(long windowSeconds, int limit) {
    return summaries(
        "trace_id IN (SELECT trace_id FROM trace_arrivals"
            + " WHERE window = toDateTime({window:UInt32}, 'UTC'))",
        "1",
        "batch >= (SELECT intDiv(toUnixTimestamp64Milli(min(arrived)), 1000) FROM trace_arrivals"
            + " WHERE window = toDateTime({window:UInt32}, 'UTC')) * 1000"
            + " AND trace_id IN (SELECT trace_id FROM trace_arrivals"
            + " WHERE window = toDateTime({window:UInt32}, 'UTC'))",
        query -> query.bind("window", windowSeconds).bind("limit", limit));
  }

  private static SqlQuery bind(SqlQuery query, long nowMillis, long sinceMillis, Quiet quiet) {
    return query
        .bind("since", sinceMillis)
        .bind("wait", nowMillis - quiet.afterLast().toMillis())
        .bind("root", nowMillis - quiet.afterRoot().toMillis());
  }

  private List<StoredTrace> whole(List<StoredTrace> older, long nowMillis) {
    List<StoredTrace> traces = new ArrayList<>();
    for (int from = 0; from < older.size(); from += IDS_MAX) {
      String ids = ids(older.subList(from, Math.min(older.size(), from + IDS_MAX)));
      traces.addAll(
          summaries(
              ids,
              "1",
              "batch >= {memory:UInt64} * 1000 AND " + ids,
              query ->
                  query
                      .bind("limit", IDS_MAX)
                      .bind("memory", (nowMillis - memory.toMillis()) / 1000)));
    }
    return traces;
  }

  private List<StoredTrace> summaries(
      String arrivals, String having, String decisions, UnaryOperator<SqlQuery> binding) {
    return store.query(
        binding.apply(
            SqlQuery.of(
                    """
                    SELECT reinterpretAsUInt64(reverse(substring(trace_id, 1, 8))),
                        reinterpretAsUInt64(reverse(substring(trace_id, 9, 8))),
                        toUnixTimestamp64Milli(latest), total, toUnixTimestamp64Nano(first),
                        toUnixTimestamp64Nano(finish), toUnixTimestamp64Nano(last_begin), ended,
                        codes, origin.1 = 1 AND open <= 0, origin.3, origin.4, before.1 > 0,
                        before.3, before.4
                    FROM
                    (
                        SELECT trace_id, max(arrived) AS latest, sum(rows) AS total,
                            min(start) AS first, max(end) AS finish, max(last_start) AS last_begin,
                            sum(spans) AS ended, groupBitOr(statuses) AS codes,
                            max(root) AS origin, sum(unended) AS open
                        FROM trace_arrivals
                        WHERE %1$s
                        GROUP BY trace_id
                        HAVING %2$s
                    ) AS seen
                    LEFT JOIN
                    (
                        SELECT trace_id,
                            tuple(argMax((rows, last), batch).1, argMax((rows, last), batch).2,
                                max(kept), argMaxIf(threshold, batch, kept)) AS before
                        FROM decisions WHERE %3$s GROUP BY trace_id
                    ) AS known USING (trace_id)
                    WHERE total > before.1 OR latest > before.2
                    ORDER BY latest, trace_id
                    LIMIT {limit:UInt64}
                    """
                        .formatted(arrivals, having, decisions))
                .setting("max_query_size", "16777216")
                .setting("use_skip_indexes", "0")),
        row ->
            new StoredTrace(
                row.integer(0),
                row.integer(1),
                row.integer(2),
                row.integer(3),
                row.integer(4),
                row.integer(5),
                row.integer(6),
                row.integer(7),
                (int) row.integer(8),
                row.flag(9),
                row.text(10),
                row.text(11),
                "",
                row.flag(12),
                row.flag(13),
                row.integer(14),
                0,
                List.of(),
                new BitSet(),
                null));
  }

  /// `trace_id IN` the ids of traces: as one text, which is quick to read.
  private static String ids(List<StoredTrace> traces) {
    return "trace_id IN (SELECT toFixedString(substring(unhex('%s'), number * 16 + 1, 16), 16) FROM numbers(%d))"
        .formatted(
            traces.stream().map(QuietTraces::id).collect(Collectors.joining()), traces.size());
  }

  static String id(StoredTrace trace) {
    return TraceContext.hexId(trace.traceIdHigh()) + TraceContext.hexId(trace.traceIdLow());
  }

  /// The same traces with what policies ask of them. Nothing holds for those of which the recent
  /// tier has no spans any more.
  List<StoredTrace> examine(List<StoredTrace> traces) {
    List<StoredTrace> examined = traces;
    histories.refresh(store.whole(), asked, System.currentTimeMillis());
    if (!asked.isEmpty() || needsSize || needsTenant) {
      examined = new ArrayList<>();
      for (int from = 0; from < traces.size(); from += IDS_MAX) {
        examined.addAll(ask(traces.subList(from, Math.min(traces.size(), from + IDS_MAX))));
      }
    }
    return needsWhole ? whole(examined) : examined;
  }

  private List<StoredTrace> whole(List<StoredTrace> traces) {
    List<StoredTrace> whole = new ArrayList<>();
    for (int from = 0; from < traces.size(); from += WHOLE_MAX) {
      List<StoredTrace> some = traces.subList(from, Math.min(traces.size(), from + WHOLE_MAX));
      Map<String, SpanBatch> spans =
          store.traces(some.stream().map(QuietTraces::id).toList(), TRACE_SPANS_MAX);
      for (StoredTrace trace : some) {
        SpanBatch batch = spans.getOrDefault(id(trace), NO_SPANS);
        whole.add(trace.with(new SampledTrace(batch, histories)));
      }
    }
    return whole;
  }

  private static final String SIZE =
      "sum(68+length(operation)+length(trace_state)+length(status_message)"
          + "+byteSize(string_keys,string_values,ints,doubles,bool_keys,other,events.name,"
          + "event_attributes,link_attributes))";

  private static final String TENANT = "toString(argMinIf(tenant,time,tenant!=''))";

  private List<StoredTrace> ask(List<StoredTrace> traces) {
    Map<String, StoredTrace> byId = new HashMap<>();
    long from = Long.MAX_VALUE;
    long to = Long.MIN_VALUE;
    for (StoredTrace trace : traces) {
      byId.put(id(trace), trace);
      from = Math.min(from, trace.startNs());
      to = Math.max(to, trace.lastStartNs());
    }
    String columns =
        asked.stream()
            .map(each -> ", " + ConditionSql.of(each, histories).orElseThrow())
            .collect(Collectors.joining());
    SqlQuery query =
        SqlQuery.of(
                """
                SELECT lower(hex(trace_id)), %s, %s%s FROM recent_spans
                WHERE time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')
                  AND time <= fromUnixTimestamp64Nano({to:Int64}, 'UTC') AND %s
                GROUP BY trace_id
                """
                    .formatted(
                        needsSize ? SIZE : "0", needsTenant ? TENANT : "''", columns, ids(traces)))
            .bind("from", from)
            .bind("to", to)
            .setting("max_query_size", "16777216")
            .setting("ignore_data_skipping_indices", "by_trace,by_value");
    byId.replaceAll((_, trace) -> trace.with(asked, new BitSet(), 0, ""));
    store
        .query(
            query,
            row -> {
              BitSet held = new BitSet();
              for (int i = 0; i < asked.size(); i++) {
                held.set(i, row.integer(i + 3) != 0);
              }
              return Map.entry(row.text(0), new Answer(held, row.integer(1), row.text(2)));
            })
        .forEach(answer ->
            byId.computeIfPresent(
                answer.getKey(),
                (_, trace) ->
                    trace.with(
                        asked,
                        answer.getValue().held(),
                        answer.getValue().sizeBytes(),
                        answer.getValue().tenant())));
    return traces.stream().map(trace -> byId.getOrDefault(id(trace), trace)).toList();
  }

  /// What the store said of a trace.
  private record Answer(BitSet held, long sizeBytes, String tenant) {}

  /// Whether the store understands all that is asked: regular expressions, above all.
  ///
  /// @throws io.headspan.storage.StoreException of kind REJECTED if not
  void check() {
    if (!asked.isEmpty()) {
      var _ =
          ask(
              List.of(
                  new StoredTrace(
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      false,
                      "",
                      "",
                      "",
                      false,
                      false,
                      0,
                      0,
                      List.of(),
                      new BitSet(),
                      null)));
    }
  }
}
