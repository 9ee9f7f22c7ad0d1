package io.headspan.query.traceql;

import java.util.Locale;

/// What makes a number of a spanset.
public enum AggregateFunction {
  COUNT,
  AVG,
  MIN,
  MAX,
  SUM;

  String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
