package io.headspan.query.traceql;

/// Where an attribute is looked for.
public enum AttributeScope {
  /// `.x`: the span's, else the resource's.
  ANY(""),
  SPAN("span"),
  RESOURCE("resource"),
  EVENT("event"),
  LINK("link"),
  INSTRUMENTATION("instrumentation");

  private final String prefix;

  AttributeScope(String prefix) {
    this.prefix = prefix;
  }

  /// What stands before the dot.
  String prefix() {
    return prefix;
  }
}
