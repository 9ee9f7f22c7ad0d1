package io.headspan.query.traceql;

/// One type that a field may have on a row, as SQL. A field is a list of them, of which at most one
/// is present on a row.
///
/// @param type the type
/// @param plurality whether `value` is an array, and what a comparison means then
/// @param present a condition, "1" if always; `value` means nothing where it does not hold
/// @param value the value, or the array of values
/// @param neutral whether `value` is the type's default (0, '', false) where it is not present
record Variant(ValueType type, Plurality plurality, String present, String value, boolean neutral) {
  static final String ALWAYS = "1";

  enum Plurality {
    ONE,
    /// The values of a span's events or links: a comparison holds if it holds for any.
    ANY,
    /// The elements of an array attribute: as ANY, but `!=` and `!~` hold if `=` and `=~` hold for
    /// none.
    ARRAY
  }

  /// One value that every row has.
  static Variant of(ValueType type, String value) {
    return new Variant(type, Plurality.ONE, ALWAYS, value, false);
  }

  static Variant of(ValueType type, String present, String value) {
    return new Variant(type, Plurality.ONE, present, value, true);
  }

  boolean isAlways() {
    return present.equals(ALWAYS);
  }

  /// The same where `condition` holds too.
  Variant where(String condition) {
    return new Variant(
        type,
        plurality,
        isAlways() ? condition : "(" + condition + " AND " + present + ")",
        value,
        false);
  }
}
