package io.headspan.query.traceql;

/// The types of values on spans.
enum ValueType {
  TEXT(1, 's'),
  INT(2, 'i'),
  REAL(3, 'd'),
  BOOL(4, 'b'),
  /// Nanoseconds.
  TIME(5, 't'),
  STATUS(6, 'e'),
  KIND(7, 'k');

  private final int code;
  private final char tag;

  ValueType(int code, char tag) {
    this.code = code;
    this.tag = tag;
  }

  /// A number for it, not 0.
  int code() {
    return code;
  }

  /// What marks values of this type in tagged text.
  char tag() {
    return tag;
  }

  boolean isNumber() {
    return this == INT || this == REAL || this == TIME;
  }

  boolean comparesWith(ValueType other) {
    return this == other || (isNumber() && other.isNumber());
  }
}
