package io.headspan.query.traceql;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/// A trace and the time from its first span's start to its last span's end, as its summary says.
///
/// Spans are stored by five minutes, trace id and time. Who knows both of the first two reads the
/// granules of these traces alone; by the trace id alone its index lets through one in a hundred
/// for each trace.
///
/// @param traceId 32 hex digits
/// @param startNs ns since the Unix epoch
/// @param endNs ns since the Unix epoch
public record TraceExtent(String traceId, long startNs, long endNs) {
  private static final long BUCKET_NS = 300_000_000_000L;

  /// Seconds are 32 bits there.
  private static final long LAST_NS = 0xffff_ffffL * 1_000_000_000L;

  /// As many places as still are faster than the index.
  private static final long PLACES_MAX = 10_000;

  /// Trace ids come from the store and are checked here, so they are the one value that is written
  /// into the text: thousands of them would not fit into parameters.
  public TraceExtent {
    if (!traceId.matches("[0-9a-f]{32}")) {
      throw new IllegalArgumentException("not a trace id: " + traceId);
    }
  }

  /// A condition on rows of `spans`: that they belong to one of `traces` and start in `range`, or
  /// not much before or after it.
  public static String condition(List<TraceExtent> traces, TimeRange range) {
    long places = 0;
    for (TraceExtent trace : traces) {
      places += trace.places(range);
      if (trace.startNs < 0 || trace.endNs > LAST_NS || places > PLACES_MAX) {
        return traces.stream()
            .map(TraceExtent::literal)
            .collect(Collectors.joining(",", "trace_id IN (", ")"));
      }
    }
    return places == 0
        ? "0"
        : traces.stream()
            .flatMap(trace -> trace.buckets(range).mapToObj(trace::place))
            .collect(Collectors.joining(",", "(toStartOfFiveMinutes(time),trace_id) IN (", ")"));
  }

  private long places(TimeRange range) {
    return Math.max(0, last(range) - first(range) + 1);
  }

  private LongStream buckets(TimeRange range) {
    return LongStream.rangeClosed(first(range), last(range));
  }

  private long first(TimeRange range) {
    return Math.floorDiv(Math.max(startNs, range.fromNs()), BUCKET_NS);
  }

  private long last(TimeRange range) {
    return Math.floorDiv(Math.min(endNs, range.toNs()), BUCKET_NS);
  }

  private String place(long bucket) {
    return "(toDateTime(" + bucket * (BUCKET_NS / 1_000_000_000L) + ",'UTC')," + literal() + ")";
  }

  private String literal() {
    return "unhex('" + traceId + "')";
  }
}
