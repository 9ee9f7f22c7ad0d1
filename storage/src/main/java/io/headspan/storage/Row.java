package io.headspan.storage;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// One row of a query's result, its columns counted from 0 in the order of the SELECT. Valid only
/// while its [RowReader] runs.
///
/// Getters convert where nothing can be lost and throw [IllegalArgumentException], naming column
/// and type, where the column has another type.
public interface Row {
  /// Number of columns.
  int columns();

  /// Whether the column, `Nullable(...)`, has no value here. Getters give 0, "" or an empty list
  /// for it.
  boolean isNull(int column);

  /// A `String`, `FixedString`, `Enum` or `LowCardinality` of them as UTF-8 text.
  String text(int column);

  /// A `String` or `FixedString` as it is.
  byte[] bytes(int column);

  /// An integer, `Bool` (0 or 1), `Date` (days since 1970), `DateTime` (s) or `DateTime64` (ticks;
  /// ns for `DateTime64(9)`). An unsigned 64-bit value comes as the same 64 bits.
  long integer(int column);

  /// A floating-point number or any integer.
  double number(int column);

  /// A `Bool` or integer, true if not 0.
  boolean flag(int column);

  /// An `Array` of anything that [#text] reads.
  List<String> texts(int column);

  /// An `Array` of anything that [#integer] reads.
  long[] integers(int column);

  /// An `Array` of anything that [#number] reads.
  double[] numbers(int column);

  /// A value of any type: `Long`, `Double`, `Boolean`, `String`, [List] for `Array` and `Tuple`,
  /// [Map] for `Map`; null for NULL. Strings that are not UTF-8 lose their bytes here: use
  /// [#bytes].
  @Nullable Object value(int column);
}
