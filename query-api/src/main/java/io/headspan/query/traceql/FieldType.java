package io.headspan.query.traceql;

/// What is known of a field expression's type before it meets a span. Ints, floats and durations
/// compare with each other, so they are one type here.
enum FieldType {
  BOOLEAN("a boolean"),
  NUMBER("a number"),
  TEXT("a string"),
  STATUS("a status"),
  KIND("a kind"),
  NIL("nil"),
  /// An attribute: known only per span.
  ANY("an attribute");

  private final String description;

  FieldType(String description) {
    this.description = description;
  }

  String description() {
    return description;
  }

  boolean canBe(FieldType other) {
    return this == other || this == ANY;
  }
}
