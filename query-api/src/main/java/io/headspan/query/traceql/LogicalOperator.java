package io.headspan.query.traceql;

/// `&&` or `||`, of one precedence in TraceQL.
public enum LogicalOperator {
  AND("&&"),
  OR("||");

  private final String symbol;

  LogicalOperator(String symbol) {
    this.symbol = symbol;
  }

  String symbol() {
    return symbol;
  }
}
