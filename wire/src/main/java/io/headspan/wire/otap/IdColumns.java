package io.headspan.wire.otap;

import io.headspan.wire.AttributeType;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The encodings that OTAP's id columns travel in (its specification, section 6.4): every column
/// has one of its own, which the field's metadata may override.
final class IdColumns {
  /// How the stored numbers make the ids.
  enum Encoding {
    PLAIN,
    /// The id is the sum of all numbers so far; nulls do not count.
    DELTA,
    /// The id is the number added to the row before's if certain other columns are equal, else the
    /// number.
    QUASI_DELTA
  }

  private IdColumns() {}

  /// The encoding of `column`.
  static Encoding encoding(Column column, Encoding own) {
    return switch (column.field().encoding()) {
      case "" -> own;
      case "plain" -> Encoding.PLAIN;
      case "delta" -> Encoding.DELTA;
      case "quasidelta" -> Encoding.QUASI_DELTA;
      default ->
          throw OtapException.invalid(
              "unknown encoding of an id column: column="
                  + column.name()
                  + ", encoding="
                  + column.field().encoding()
                  + "; use plain, delta or quasidelta");
    };
  }

  /// Sums wrap in the column's unsigned width.
  static long mask(Column column) {
    if (column.field().kind() != ArrowField.Kind.UNSIGNED || column.field().width() > 4) {
      throw OtapException.invalid(
          "wrong column type in OTAP data: column="
              + column.name()
              + ", type="
              + column.field().kind()
              + "; it must be an unsigned integer of 16 or 32 bits");
    }
    return (1L << (Byte.SIZE * column.field().width())) - 1;
  }

  /// Reads an `id` column: DELTA, unless its metadata says otherwise. Rows without an id, or
  /// without the column, get [OwnerIndex#NO_ID].
  static long[] ids(@Nullable Column column, int rows) {
    long[] ids = new long[rows];
    if (column == null) {
      Arrays.fill(ids, OwnerIndex.NO_ID);
      return ids;
    }
    long mask = mask(column);
    boolean delta = encoding(column, Encoding.DELTA) != Encoding.PLAIN;
    column.longs(0, rows, ids);
    long id = 0;
    for (int row = 0; row < rows; row++) {
      if (column.isNull(row)) {
        ids[row] = OwnerIndex.NO_ID;
      } else {
        id = delta ? (id + ids[row]) & mask : ids[row];
        ids[row] = id;
      }
    }
    return ids;
  }

  /// Turns the stored numbers of a `parent_id` column into ids: QUASI-DELTA, unless its metadata
  /// says otherwise.
  ///
  /// @param stored numbers in, ids out
  /// @param equality whether two rows agree in the columns that the payload names for this
  static void sumParents(Column column, long[] stored, Equality equality) {
    sumParents(column, stored, Encoding.QUASI_DELTA, equality);
  }

  /// The same for a column whose encoding is DELTA unless its metadata says otherwise.
  static void sumParents(Column column, long[] stored) {
    sumParents(column, stored, Encoding.DELTA, (_, _) -> false);
  }

  private static void sumParents(Column column, long[] stored, Encoding own, Equality equality) {
    Encoding encoding = encoding(column, own);
    if (encoding == Encoding.PLAIN) {
      return;
    }
    long mask = mask(column);
    for (int row = 1; row < stored.length; row++) {
      if (encoding == Encoding.DELTA || equality.equal(row, row - 1)) {
        stored[row] = (stored[row - 1] + stored[row]) & mask;
      }
    }
  }

  /// Whether two attribute values of one type are equal for QUASI-DELTA: maps, slices and empty
  /// values never are, doubles as numbers are.
  static boolean equalValues(long type, long value, long previous) {
    return switch ((int) type) {
      case AttributeType.STRING, AttributeType.INT, AttributeType.BOOL, AttributeType.BYTES ->
          value == previous;
      case AttributeType.DOUBLE ->
          Double.longBitsToDouble(value) == Double.longBitsToDouble(previous);
      default -> false;
    };
  }

  /// Compares two rows.
  interface Equality {
    boolean equal(int row, int previous);
  }
}
