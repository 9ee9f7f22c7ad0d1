package io.headspan.storage;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What statements are run on: a server, or those that stand in for one another. Native blocks in
/// and out, settings per request, and every failure as a [StoreException]. Thread-safe.
interface StoreClient extends BlockSource, AutoCloseable {
  /// Sends a block to a table; returns when ClickHouse has stored it.
  void insert(String table, NativeSink block, Map<String, String> settings);

  /// Runs a statement without result.
  void command(String sql, Map<String, String> settings);

  /// Runs a statement without result, under the limits of time and memory that it has.
  void run(SqlQuery sql);

  /// Closes the connection on which the query with this id waits.
  void cancel(String queryId);

  @Override
  void close();

  /// Runs a SELECT and gives each row to `reader`, in order.
  default <T> List<T> rows(SqlQuery sql, RowReader<T> reader) {
    List<T> results = new ArrayList<>();
    select(
        sql,
        block -> {
          for (int row = 0; row < block.rows(); row++) {
            results.add(reader.read(block.row(row)));
          }
        });
    return results;
  }
}
