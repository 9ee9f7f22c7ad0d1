package io.headspan.query.traceql;

import java.util.List;

/// Matching spans of one trace, or of one group of it after `by()`.
///
/// @param traceId 32 hex digits
/// @param matched how many spans match; `spans` may hold fewer
/// @param attributes the group's keys and aggregates
/// @param spans the earliest of them
public record Spanset(String traceId, long matched, List<Attribute> attributes, List<Span> spans) {
  /// A name and a value.
  public record Attribute(String name, ResultValue value) {}

  /// A matching span, with the fields that the query speaks of.
  public record Span(
      long spanId, String name, long startNs, long durationNs, List<Attribute> attributes) {}
}
