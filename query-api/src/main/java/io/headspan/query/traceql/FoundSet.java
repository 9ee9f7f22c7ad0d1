package io.headspan.query.traceql;

import io.headspan.storage.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A spanset as it was found: which spans, and not yet what an answer shows of them.
///
/// @param traceId 32 hex digits
/// @param matched how many spans match; there may be fewer ids
/// @param attributes the group's keys and aggregates
/// @param spanIds of the earliest of them, in order of their start
/// @param startsNs when those started
public record FoundSet(
    String traceId,
    long matched,
    List<Spanset.Attribute> attributes,
    List<Long> spanIds,
    List<Long> startsNs) {
  /// A span of a trace. Two may have one id, but not the start too.
  public record SpanKey(String traceId, long spanId, long startNs) {}

  /// Reads a row of [SearchPlan#found].
  public static FoundSet read(Row row) {
    List<Long> ids = new ArrayList<>();
    for (long id : row.integers(4)) {
      ids.add(id);
    }
    List<Long> starts = new ArrayList<>();
    for (long start : row.integers(5)) {
      starts.add(start);
    }
    return new FoundSet(
        row.text(0), row.integer(3), SpansetReader.attributes(row, 1, 2), ids, starts);
  }

  /// The spanset with what is shown of its spans. One may be gone between two statements.
  public Spanset with(Map<SpanKey, Spanset.Span> spans) {
    List<Spanset.Span> there = keys().stream().map(spans::get).filter(Objects::nonNull).toList();
    return new Spanset(traceId, matched, attributes, there);
  }

  /// The keys of its spans, the earliest first.
  public List<SpanKey> keys() {
    List<SpanKey> keys = new ArrayList<>();
    for (int i = 0; i < spanIds.size(); i++) {
      keys.add(new SpanKey(traceId, spanIds.get(i), startsNs.get(i)));
    }
    return keys;
  }
}
