package io.headspan.query.traceql;

/// An operator that makes a number of two numbers.
public enum Arithmetic {
  ADD("+"),
  SUBTRACT("-"),
  MULTIPLY("*"),
  DIVIDE("/"),
  REMAINDER("%"),
  POWER("^");

  private final String symbol;

  Arithmetic(String symbol) {
    this.symbol = symbol;
  }

  String symbol() {
    return symbol;
  }
}
