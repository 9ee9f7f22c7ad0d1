package io.headspan.collector.sampling;

import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.SpanBatch;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/// What policies would decide about traces that are in the store; nothing is changed by it.
public final class SamplingTrial {
  private static final int TRACE_SPANS_MAX = 100_000;
  private static final int TRACES_AT_ONCE = 500;
  private static final int TRACE_ID_DIGITS = 32;

  // A trace may have begun the day before.
  private static final String ENDED =
      """
      SELECT lower(hex(trace_id)), toUnixTimestamp64Nano(last), count() OVER () FROM
      (
          SELECT trace_id, max(end) AS last FROM trace_summary
          WHERE day BETWEEN toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) - 1
              AND toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
          GROUP BY trace_id
          HAVING last >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')
              AND last < fromUnixTimestamp64Nano({to:Int64}, 'UTC')
      )
      ORDER BY cityHash64(trace_id), trace_id
      LIMIT {limit:UInt64}
      """;

  /// How much it is.
  ///
  /// @param sizeBytes about, uncompressed
  public record Volume(long traces, long spans, long sizeBytes) {
    static final Volume NONE = new Volume(0, 0, 0);

    Volume plus(SampledTrace trace) {
      return new Volume(traces + 1, spans + trace.size(), sizeBytes + trace.sizeBytes());
    }
  }

  /// What there was, and what of it would be kept.
  public record Share(Volume all, Volume kept) {
    static final Share NONE = new Share(Volume.NONE, Volume.NONE);

    Share plus(SampledTrace trace, boolean isKept) {
      return new Share(all.plus(trace), isKept ? kept.plus(trace) : kept);
    }
  }

  /// The outcome of a trial. A trace that several policies kept counts with each of them.
  ///
  /// @param found how many traces ended in the window; more than `total` has if it was limited
  /// @param byPolicy what each policy kept
  /// @param byTenant by name, "" for traces without one
  /// @param traces what becomes of each trace looked at, by its id
  public record Report(
      long found,
      Share total,
      Map<String, Volume> byPolicy,
      Map<String, Share> byTenant,
      Map<String, SamplingPolicies.Verdict> traces) {}

  /// What is decided about one trace, and how large it is.
  public record Explanation(SamplingPolicies.Verdict verdict, Volume volume) {}

  private record Ended(String id, long timeNs, long found) {}

  private SamplingTrial() {}

  /// Tries policies on the traces that ended from `from` until before `to`, in the order in which
  /// they ended; that time is the clock of policies with a rate.
  ///
  /// @param yaml what [SamplingPolicies#parse] reads
  /// @param maxTraces the most traces to look at; of more, those with the smallest hashes
  /// @throws SamplingException if the policies are not understood
  /// @throws io.headspan.storage.StoreException if the store cannot be read
  public static Report run(SpanStore store, String yaml, Instant from, Instant to, int maxTraces) {
    AtomicLong second = new AtomicLong(from.getEpochSecond());
    SamplingPolicies policies = SamplingPolicies.parse(yaml, second::get);
    Histories histories = Histories.of(Map.of());
    histories.refresh(store, policies.conditions(), to.toEpochMilli());
    List<Ended> ended = ended(store, from, to, maxTraces);
    Share total = Share.NONE;
    Map<String, Volume> byPolicy = new TreeMap<>();
    Map<String, Share> byTenant = new TreeMap<>();
    Map<String, SamplingPolicies.Verdict> verdicts = new HashMap<>();
    for (int first = 0; first < ended.size(); first += TRACES_AT_ONCE) {
      List<Ended> some = ended.subList(first, Math.min(ended.size(), first + TRACES_AT_ONCE));
      Map<String, SpanBatch> spans =
          store.traces(some.stream().map(Ended::id).toList(), TRACE_SPANS_MAX);
      for (Ended each : some) {
        SpanBatch batch = spans.get(each.id);
        if (batch == null) {
          // It was sampled out between the two statements.
          continue;
        }
        second.set(TimeUnit.NANOSECONDS.toSeconds(each.timeNs));
        SampledTrace trace = new SampledTrace(batch, histories);
        SamplingPolicies.Verdict verdict = policies.decide(trace);
        verdicts.put(each.id, verdict);
        total = total.plus(trace, verdict.kept());
        String tenant = trace.tenant();
        byTenant.put(tenant, byTenant.getOrDefault(tenant, Share.NONE).plus(trace, verdict.kept()));
        for (String policy : verdict.policies()) {
          byPolicy.put(policy, byPolicy.getOrDefault(policy, Volume.NONE).plus(trace));
        }
      }
    }
    long found = ended.isEmpty() ? 0 : ended.getFirst().found;
    return new Report(found, total, byPolicy, byTenant, verdicts);
  }

  /// What policies decide about one trace; empty if the store does not have it. To policies with a
  /// rate it is the first trace of its second.
  ///
  /// @param yaml what [SamplingPolicies#parse] reads
  /// @param traceId up to 32 hex digits
  /// @throws SamplingException if it is no trace id, or the policies are not understood
  /// @throws io.headspan.storage.StoreException if the store cannot be read
  public static Optional<Explanation> explain(SpanStore store, String yaml, String traceId) {
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    if (!traceId.matches("[0-9a-fA-F]{1,32}")) {
      throw new SamplingException("no trace id: id=" + traceId + "; give up to 32 hex digits");
    }
    Histories histories = Histories.of(Map.of());
    histories.refresh(store, policies.conditions(), System.currentTimeMillis());
    SampledTrace trace =
        read(store, "0".repeat(TRACE_ID_DIGITS - traceId.length()) + traceId, histories);
    return trace.size() == 0
        ? Optional.empty()
        : Optional.of(new Explanation(policies.decide(trace), Volume.NONE.plus(trace)));
  }

  private static List<Ended> ended(SpanStore store, Instant from, Instant to, int maxTraces) {
    List<Ended> ended =
        new ArrayList<>(
            store.query(
                SqlQuery.of(ENDED)
                    .bind("from", nanos(from))
                    .bind("to", nanos(to))
                    .bind("limit", maxTraces),
                row -> new Ended(row.text(0), row.integer(1), row.integer(2))));
    ended.sort(Comparator.comparingLong(Ended::timeNs).thenComparing(Ended::id));
    return ended;
  }

  private static SampledTrace read(SpanStore store, String id, Histories histories) {
    SpanBatch spans =
        store.trace(
            HexFormat.fromHexDigitsToLong(id, 0, TRACE_ID_DIGITS / 2),
            HexFormat.fromHexDigitsToLong(id, TRACE_ID_DIGITS / 2, TRACE_ID_DIGITS),
            TRACE_SPANS_MAX);
    return new SampledTrace(spans, histories);
  }

  private static long nanos(Instant time) {
    return TimeUnit.SECONDS.toNanos(time.getEpochSecond()) + time.getNano();
  }
}
