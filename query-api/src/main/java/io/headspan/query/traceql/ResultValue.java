package io.headspan.query.traceql;

import java.util.List;

/// A value in a result, of the types that OTLP has.
public sealed interface ResultValue {
  /// A string; also a status and a kind.
  record Text(String text) implements ResultValue {}

  /// A span of time, as Go writes it.
  record Duration(String text) implements ResultValue {}

  /// An integer.
  record Int(long value) implements ResultValue {}

  /// A floating-point number.
  record Real(double value) implements ResultValue {}

  /// A boolean.
  record Bool(boolean value) implements ResultValue {}

  /// An array.
  record Array(List<ResultValue> elements) implements ResultValue {
    public Array {
      elements = List.copyOf(elements);
    }
  }

  /// What the span does not have.
  record Nothing() implements ResultValue {}
}
