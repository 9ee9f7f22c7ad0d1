package io.headspan.storage;

import io.headspan.wire.SignalOrigin;
import io.headspan.wire.TypedAttribute;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.function.ToIntFunction;
import java.util.function.ToLongFunction;

/// A Native block of records of one kind, written column by column. Columns that the table has as
/// LowCardinality are sent plain: the store makes the dictionaries.
final class RecordBlock<R> {
  private static final String TIME = "DateTime64(9, 'UTC')";
  private static final String TEXTS = "Array(String)";

  private final NativeSink sink = new NativeSink();
  private final List<R> rows;

  /// @param columns how many columns will be written
  RecordBlock(List<R> rows, int columns) {
    this.rows = rows;
    sink.beginBlock(columns, rows.size());
  }

  NativeSink sink() {
    return sink;
  }

  void times(String name, ToLongFunction<R> ns) {
    numbers(name, TIME, ns);
  }

  void millis(String name, ToLongFunction<R> millis) {
    numbers(name, "DateTime64(3, 'UTC')", millis);
  }

  void longs(String name, ToLongFunction<R> value) {
    numbers(name, "UInt64", value);
  }

  void signedLongs(String name, ToLongFunction<R> value) {
    numbers(name, "Int64", value);
  }

  void doubles(String name, ToDoubleFunction<R> value) {
    numbers(name, "Float64", row -> Double.doubleToRawLongBits(value.applyAsDouble(row)));
  }

  void ints(String name, ToIntFunction<R> value) {
    ints(name, "UInt32", value);
  }

  void signedInts(String name, ToIntFunction<R> value) {
    ints(name, "Int32", value);
  }

  void bytes(String name, ToIntFunction<R> value) {
    bytes(name, "UInt8", value);
  }

  void bools(String name, ToIntFunction<R> value) {
    bytes(name, "Bool", value);
  }

  void texts(String name, Function<R, String> value) {
    sink.beginColumn(name, "String");
    for (R row : rows) {
      sink.putString(value.apply(row));
    }
  }

  /// A trace id of two halves.
  void traceIds(String name, ToLongFunction<R> high, ToLongFunction<R> low) {
    sink.beginColumn(name, "FixedString(16)");
    for (R row : rows) {
      sink.putBigLong(high.applyAsLong(row));
      sink.putBigLong(low.applyAsLong(row));
    }
  }

  void textLists(String name, Function<R, List<String>> value) {
    lists(name, TEXTS, value, sink::putString);
  }

  void longLists(String name, Function<R, List<Long>> value) {
    lists(name, "Array(UInt64)", value, sink::putLong);
  }

  void doubleLists(String name, Function<R, List<Double>> value) {
    lists(name, "Array(Float64)", value, each -> sink.putLong(Double.doubleToRawLongBits(each)));
  }

  /// Three columns: `keys`, `types` and `values` behind a prefix.
  void attributes(String prefix, Function<R, List<TypedAttribute>> value) {
    lists(prefix + "keys", TEXTS, value, each -> sink.putString(each.key()));
    lists(prefix + "types", "Array(UInt8)", value, each -> sink.putByte(each.value().type()));
    lists(prefix + "values", TEXTS, value, each -> sink.putString(each.value().text()));
  }

  /// How many columns [#origins] writes.
  static final int ORIGIN_COLUMNS = 15;

  /// What sent each row.
  void origins(Function<R, SignalOrigin> origin) {
    texts("tenant", row -> origin.apply(row).text("headspan.tenant"));
    texts("team", row -> origin.apply(row).text("headspan.team"));
    texts("service", row -> origin.apply(row).text("service.name"));
    texts("version", row -> origin.apply(row).text("service.version"));
    texts("runtime", row -> origin.apply(row).text("headspan.runtime"));
    attributes("resource_", row -> origin.apply(row).resource());
    texts("resource_schema_url", row -> origin.apply(row).resourceSchemaUrl());
    texts("scope_name", row -> origin.apply(row).scopeName());
    texts("scope_version", row -> origin.apply(row).scopeVersion());
    attributes("scope_", row -> origin.apply(row).scope());
    texts("scope_schema_url", row -> origin.apply(row).scopeSchemaUrl());
  }

  /// A column of lists: where each row's ends, then all elements.
  <E> void lists(
      String name, String type, Function<R, List<E>> value, java.util.function.Consumer<E> put) {
    sink.beginColumn(name, type);
    long end = 0;
    for (R row : rows) {
      end += value.apply(row).size();
      sink.putLong(end);
    }
    for (R row : rows) {
      value.apply(row).forEach(put);
    }
  }

  private void numbers(String name, String type, ToLongFunction<R> value) {
    sink.beginColumn(name, type);
    for (R row : rows) {
      sink.putLong(value.applyAsLong(row));
    }
  }

  private void ints(String name, String type, ToIntFunction<R> value) {
    sink.beginColumn(name, type);
    for (R row : rows) {
      sink.putInt(value.applyAsInt(row));
    }
  }

  private void bytes(String name, String type, ToIntFunction<R> value) {
    sink.beginColumn(name, type);
    for (R row : rows) {
      sink.putByte(value.applyAsInt(row));
    }
  }
}
