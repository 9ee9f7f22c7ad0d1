package io.headspan.storage;

/// Makes one object of one row of a result.
@FunctionalInterface
public interface RowReader<T> {
  T read(Row row);
}
