package io.headspan.query.traceql;

import java.util.List;

/// One time series.
///
/// @param labels in the order of the query
/// @param values one per interval of the grid; not finite where there is none
/// @param exemplars spans that went into it, at most one per interval
public record Series(List<Spanset.Attribute> labels, double[] values, List<Exemplar> exemplars) {
  /// A span that went into a series.
  ///
  /// @param traceId 32 hex digits
  /// @param value where it lies on the axis of values
  public record Exemplar(String traceId, long timeNs, double value) {}
}
