package io.headspan.query.traceql;

import io.headspan.query.traceql.FoundSet.SpanKey;
import io.headspan.storage.Row;
import io.headspan.storage.RowReader;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Reads the rows of [SearchPlan#shown]: trace id, service, numbers of its spans and of those that
/// failed, then of the spans shown: id, start, duration, name, and an array of tagged values per
/// shown field.
public final class ShownServiceReader implements RowReader<ShownServiceReader.ShownService> {
  private static final int FIRST_SPAN = 4;

  private final List<String> names;

  ShownServiceReader(List<String> names) {
    this.names = names;
  }

  /// A service in a trace.
  ///
  /// @param traceId 32 hex digits
  /// @param shown those of its spans that were asked for
  public record ShownService(
      String traceId, String service, long spans, long errors, Map<SpanKey, Spanset.Span> shown) {}

  @Override
  public ShownService read(Row row) {
    String traceId = row.text(0);
    Map<SpanKey, Spanset.Span> shown = new HashMap<>();
    for (Spanset.Span span : SpansetReader.spans(row, FIRST_SPAN, names)) {
      shown.put(new SpanKey(traceId, span.spanId(), span.startNs()), span);
    }
    return new ShownService(traceId, row.text(1), row.integer(2), row.integer(3), shown);
  }
}
