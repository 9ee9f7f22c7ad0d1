package io.headspan.query.traceql;

/// A literal's value.
public sealed interface Value {
  /// A string.
  record Text(String text) implements Value {}

  /// An integer.
  record Int(long value) implements Value {}

  /// A number with a fraction or exponent.
  record Real(double value) implements Value {}

  /// A duration such as `1h30m`; compares with numbers as its nanoseconds.
  record Time(long ns) implements Value {}

  /// `true` or `false`.
  record Bool(boolean value) implements Value {}

  /// `ok`, `error` or `unset`.
  record Status(SpanStatus status) implements Value {}

  /// `server`, `client` and so on.
  record Kind(SpanKind kind) implements Value {}

  /// `nil`, the value of what a span does not have.
  record Nil() implements Value {}
}
