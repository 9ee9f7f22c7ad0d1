package io.headspan.storage;

import io.headspan.wire.SpanBatch;
import java.util.List;

/// Spans in ClickHouse. Thread-safe; one instance serves a whole process.
@SuppressWarnings("DoNotCallSuggester")
public final class SpanStore implements AutoCloseable {
  private final StoreAddress address;

  private SpanStore(StoreAddress address) {
    this.address = address;
  }

  /// A store at `address`. Does not connect yet: see [#isReady()].
  public static SpanStore connect(StoreAddress address) {
    return new SpanStore(address);
  }

  /// Creates the database and brings its tables to this version's schema. Repeating it, also from
  /// several processes at once, does no harm.
  ///
  /// @throws StoreException if a migration fails, or the schema is newer than this program
  public void migrate() {
    throw unavailable();
  }

  /// Stores the spans of `batch`; when this returns, ClickHouse has them. A batch with a token
  /// already seen is not stored again, nor counted again in any rollup.
  ///
  /// @param deduplicationToken names the batch; equal tokens mean equal batches
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insert(SpanBatch batch, String deduplicationToken) {
    throw unavailable();
  }

  /// The spans of one trace, each once, in order of start time; an empty batch if there are none.
  ///
  /// @param maxSpans the most spans to return: the earliest ones
  public SpanBatch trace(long traceIdHigh, long traceIdLow, int maxSpans) {
    throw unavailable();
  }

  /// Runs a SELECT and gives each row to `reader`, in order.
  public <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    throw unavailable();
  }

  /// Whether the store answers and has the schema.
  public boolean isReady() {
    return false;
  }

  @Override
  public void close() {}

  private StoreException unavailable() {
    return new StoreException(
        StoreException.Kind.UNAVAILABLE, "store cannot be reached: address=" + address);
  }
}
