package io.headspan.query.explain;

import io.headspan.query.traceql.TimeRange;

/// What a range is compared with.
sealed interface Baseline {
  /// The name of its kind in answers.
  String id();

  /// As long a time just before.
  record Before(TimeRange range) implements Baseline {
    @Override
    public String id() {
      return "before";
    }
  }

  /// A range that the caller chose.
  record Chosen(TimeRange range) implements Baseline {
    @Override
    public String id() {
      return "range";
    }
  }

  /// One version of the function, in the same range; all other versions are compared with it.
  record OfVersion(String version, TimeRange range) implements Baseline {
    @Override
    public String id() {
      return "version";
    }
  }

  TimeRange range();
}
