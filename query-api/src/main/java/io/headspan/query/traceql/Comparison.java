package io.headspan.query.traceql;

/// An operator that compares two values.
public enum Comparison {
  EQUAL("="),
  NOT_EQUAL("!="),
  LESS("<"),
  LESS_OR_EQUAL("<="),
  GREATER(">"),
  GREATER_OR_EQUAL(">="),
  MATCH("=~"),
  NOT_MATCH("!~");

  private final String symbol;

  Comparison(String symbol) {
    this.symbol = symbol;
  }

  String symbol() {
    return symbol;
  }

  boolean isPattern() {
    return this == MATCH || this == NOT_MATCH;
  }

  boolean isEquality() {
    return this == EQUAL || this == NOT_EQUAL;
  }

  /// `!=` and `!~`.
  boolean isNegated() {
    return this == NOT_EQUAL || this == NOT_MATCH;
  }

  /// The operator that says the same with its sides exchanged.
  Comparison mirrored() {
    return switch (this) {
      case LESS -> GREATER;
      case LESS_OR_EQUAL -> GREATER_OR_EQUAL;
      case GREATER -> LESS;
      case GREATER_OR_EQUAL -> LESS_OR_EQUAL;
      case EQUAL, NOT_EQUAL, MATCH, NOT_MATCH -> this;
    };
  }
}
