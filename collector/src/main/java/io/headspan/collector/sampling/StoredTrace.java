package io.headspan.collector.sampling;

import io.headspan.storage.Decision;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A trace as the store sums it up.
///
/// @param tenant "" if no policy asks
/// @param complete whether its root has ended and nothing of it is open
/// @param decided whether it was decided before, on fewer or other rows
/// @param keptBefore whether it was kept then
/// @param threshold of that decision
/// @param lastMillis when the last of its rows arrived
/// @param lastStartNs when the last of its spans started or ended
/// @param statuses a bit for each status of a span
/// @param conditions those that were asked of the store
/// @param held a bit for each of them that holds
/// @param whole the trace with all its spans, if a condition needs them
record StoredTrace(
    long traceIdHigh,
    long traceIdLow,
    long lastMillis,
    long rows,
    long startNs,
    long endNs,
    long lastStartNs,
    long spans,
    int statuses,
    boolean complete,
    String rootService,
    String rootOperation,
    String tenant,
    boolean decided,
    boolean keptBefore,
    long threshold,
    long sizeBytes,
    List<Policy.Condition> conditions,
    BitSet held,
    @Nullable SampledTrace whole)
    implements TraceFacts {

  @Override
  public boolean holds(Policy.Condition condition) {
    return switch (condition) {
      case Policy.Latency latency when latency.upperMillis() == 0 ->
          TimeUnit.NANOSECONDS.toMillis(endNs - startNs) >= latency.thresholdMillis();
      case Policy.StatusCode status ->
          status.codes().stream().anyMatch(code -> (statuses & (1 << code)) != 0);
      default -> {
        int asked = conditions.indexOf(condition);
        if (asked >= 0) {
          yield held.get(asked);
        }
        if (whole == null) {
          throw new IllegalStateException("condition was not asked: condition=" + condition);
        }
        yield condition.matches(whole);
      }
    };
  }

  StoredTrace with(List<Policy.Condition> asked, BitSet bits, long bytes, String whose) {
    return new StoredTrace(
        traceIdHigh,
        traceIdLow,
        lastMillis,
        rows,
        startNs,
        endNs,
        lastStartNs,
        spans,
        statuses,
        complete,
        rootService,
        rootOperation,
        whose,
        decided,
        keptBefore,
        threshold,
        bytes,
        asked,
        bits,
        whole);
  }

  StoredTrace with(SampledTrace trace) {
    return new StoredTrace(
        traceIdHigh,
        traceIdLow,
        lastMillis,
        rows,
        startNs,
        endNs,
        lastStartNs,
        spans,
        statuses,
        complete,
        rootService,
        rootOperation,
        tenant,
        decided,
        keptBefore,
        threshold,
        sizeBytes,
        conditions,
        held,
        trace);
  }

  /// Keeps it, or not.
  Decision decide(boolean kept, List<String> policies, long threshold) {
    return new Decision(
        traceIdHigh,
        traceIdLow,
        kept,
        kept && keptBefore,
        policies,
        threshold,
        rows,
        lastMillis,
        startNs,
        Math.max(endNs, lastStartNs),
        rootService,
        rootOperation);
  }
}
