package io.headspan.query.traceql;

import io.headspan.query.traceql.FoundSet.SpanKey;
import io.headspan.storage.Row;
import io.headspan.storage.RowReader;
import java.util.List;
import java.util.Map;

/// Reads the rows of [SearchPlan#shown]: trace id, span id, start, duration, name, and a tagged
/// value per shown field.
public final class ShownSpanReader implements RowReader<Map.Entry<SpanKey, Spanset.Span>> {
  private static final int FIRST_FIELD = 5;

  private final List<String> names;

  ShownSpanReader(List<String> names) {
    this.names = names;
  }

  @Override
  public Map.Entry<SpanKey, Spanset.Span> read(Row row) {
    List<Spanset.Attribute> attributes =
        SpansetReader.fields(names, field -> row.text(FIRST_FIELD + field));
    SpanKey key = new SpanKey(row.text(0), row.integer(1), row.integer(2));
    return Map.entry(
        key,
        new Spanset.Span(key.spanId(), row.text(4), key.startNs(), row.integer(3), attributes));
  }
}
