package io.headspan.query.traceql;

import io.headspan.storage.Row;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A spanset as it was found: which spans, and not yet what an answer shows of them.
///
/// @param traceId 32 hex digits
/// @param matched how many spans match; `spans` may hold fewer
/// @param attributes the group's keys and aggregates
/// @param spans the earliest of them, in order of their start
public record FoundSet(
    String traceId, long matched, List<Spanset.Attribute> attributes, List<SpanKey> spans) {
  /// A span of a trace. Two may have one id, but not the start too.
  public record SpanKey(String traceId, long spanId, long startNs) {
    private static final Comparator<SpanKey> EARLIEST =
        Comparator.comparingLong(SpanKey::startNs)
            .thenComparing(SpanKey::spanId, Long::compareUnsigned);

    /// Reads a row of [SearchPlan#newest].
    public static SpanKey read(Row row) {
      return new SpanKey(row.text(0), row.integer(1), row.integer(2));
    }
  }

  /// The set of all matching spans of a trace.
  ///
  /// @param spans in any order
  /// @param shown how many of them it is to have
  public static FoundSet of(String traceId, Collection<SpanKey> spans, int shown) {
    return new FoundSet(
        traceId,
        spans.size(),
        List.of(),
        spans.stream().sorted(SpanKey.EARLIEST).limit(shown).toList());
  }

  /// Reads a row of [SearchPlan#found].
  public static FoundSet read(Row row) {
    String traceId = row.text(0);
    long[] ids = row.integers(4);
    long[] starts = row.integers(5);
    List<SpanKey> spans = new ArrayList<>();
    for (int i = 0; i < ids.length; i++) {
      spans.add(new SpanKey(traceId, ids[i], starts[i]));
    }
    return new FoundSet(traceId, row.integer(3), SpansetReader.attributes(row, 1, 2), spans);
  }

  /// The spanset with what is shown of its spans. One may be gone between two statements.
  public Spanset with(Map<SpanKey, Spanset.Span> shown) {
    return new Spanset(
        traceId,
        matched,
        attributes,
        spans.stream().map(shown::get).filter(Objects::nonNull).toList());
  }
}
