package io.headspan.query.traceql;

import java.util.Locale;

/// What makes time series of spans.
public enum MetricsFunction {
  RATE(false),
  COUNT_OVER_TIME(false),
  MIN_OVER_TIME(true),
  MAX_OVER_TIME(true),
  AVG_OVER_TIME(true),
  SUM_OVER_TIME(true),
  QUANTILE_OVER_TIME(true),
  HISTOGRAM_OVER_TIME(true);

  private final boolean ofField;

  MetricsFunction(boolean ofField) {
    this.ofField = ofField;
  }

  /// Whether it takes a field.
  boolean ofField() {
    return ofField;
  }

  String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
