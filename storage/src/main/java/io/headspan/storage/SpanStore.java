package io.headspan.storage;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.time.LocalDate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Spans, and what is beside them, in ClickHouse: a server or a cluster. Thread-safe; one instance
/// serves a whole process.
public sealed interface SpanStore extends AutoCloseable permits ShardStore, ClusterStore {
  /// A store at `address`. Does not connect yet: see [#isReady()].
  static SpanStore connect(StoreAddress address) {
    return address.cluster().isPresent() ? new ClusterStore(address) : new ShardStore(address);
  }

  /// Where the store is.
  StoreAddress address();

  /// Creates the database and brings its tables to this version's schema. Repeating it, also from
  /// several processes at once, does no harm.
  ///
  /// @throws StoreException if a migration fails, or the schema is newer than this program
  void migrate();

  /// Stores the spans of `batch` as kept; when this returns, ClickHouse has them. A batch with a
  /// token already seen is not stored again, nor counted again in any rollup.
  ///
  /// @param deduplicationToken names the batch; equal tokens mean equal batches
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  default void insert(SpanBatch batch, String deduplicationToken) {
    insert(batch, deduplicationToken, Tier.KEPT);
  }

  /// The same, for a tier. A batch that comes again has to come to the same one.
  void insert(SpanBatch batch, String deduplicationToken, Tier tier);

  /// Whether the spans of `batch` are stored, under whatever token: looks for one span of each day
  /// that it has spans of, because the spans of a day are stored together or not at all.
  ///
  /// @throws StoreException if the store cannot be reached or fails
  boolean isStored(SpanBatch batch);

  /// Whether the store surely knows the token of every batch that was inserted within `age`, in all
  /// tables that are fed by it. Then a batch that comes again is to be inserted again, also if its
  /// spans are stored: the insert may have been cut off before the rollups had them. Never sure of
  /// what other servers replicate.
  ///
  /// @throws StoreException if the store cannot be reached or fails
  boolean knowsTokens(Duration age);

  /// Stores what an agent tells about its node; when this returns, ClickHouse has it. A report with
  /// a token already seen is not stored again.
  ///
  /// @param deduplicationToken names the report
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  void insert(NodeReport report, String deduplicationToken);

  /// Stores what was left out of a batch; when this returns, ClickHouse has it. The same with a
  /// token already seen is not stored again.
  ///
  /// @param deduplicationToken names it
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  void insertLeftOut(List<LeftOut> leftOut, String deduplicationToken);

  /// Stores log records; when this returns, ClickHouse has them. A batch with a token already seen
  /// is not stored again. A record without any time is of 1970.
  ///
  /// @param deduplicationToken names the batch
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  void insert(LogBatch batch, String deduplicationToken);

  /// Stores data points of metrics, as log records are.
  ///
  /// @param deduplicationToken names the batch
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  void insert(MetricBatch batch, String deduplicationToken);

  /// The spans of one trace, each once, in order of start time; an empty batch if there are none.
  ///
  /// @param maxSpans the most spans to return: the earliest ones
  /// @throws StoreException if the store cannot be reached or fails
  default SpanBatch trace(long traceIdHigh, long traceIdLow, int maxSpans) {
    return trace(traceIdHigh, traceIdLow, TraceRead.of(maxSpans)).spans();
  }

  /// The same as far as `read` may see it, and under its limits.
  ///
  /// @throws StoreException also of kind LIMIT_EXCEEDED if it ran into one
  TraceSpans trace(long traceIdHigh, long traceIdLow, TraceRead read);

  /// The same of several traces, by id: as few statements as can be. Those without spans are left
  /// out.
  ///
  /// @param traceIds 32 hex digits each
  default Map<String, SpanBatch> traces(List<String> traceIds, int maxSpans) {
    Map<String, SpanBatch> found = new HashMap<>();
    traces(traceIds, TraceRead.of(maxSpans)).forEach((id, trace) -> found.put(id, trace.spans()));
    return found;
  }

  /// The same as far as `read` may see them, and under its limits.
  ///
  /// @throws StoreException also of kind LIMIT_EXCEEDED if it ran into one
  Map<String, TraceSpans> traces(List<String> traceIds, TraceRead read);

  /// The parts of a cluster, in order; the store itself if it is one server. A trace is in one of
  /// them whole. They are closed with this.
  ///
  /// @throws StoreException if a cluster has not said yet what its shards are
  List<SpanStore> shards();

  /// What this is a part of; itself but for a cluster's shard.
  SpanStore whole();

  /// The share of all traces that are stored here: 1 but for a cluster's shard.
  double share();

  /// Keeps traces whose spans are recent and that are not kept; returns how many.
  ///
  /// @param traceIds 32 hex digits each
  long keep(List<String> traceIds);

  /// The decisions about a trace, the newest first.
  ///
  /// @param traceId 32 hex digits
  List<SpanTiers.Recorded> decisions(String traceId);

  /// What moves spans from the recent to the kept tier. Each shard has its own.
  ///
  /// @throws IllegalStateException if there are several
  SpanTiers tiers();

  /// Lets go of what has been stored for longer than its tenants want; the rollups that costs are
  /// counted from stay for 400 days. However often it is done, and by however many, it is the same.
  ///
  /// @param today the day (UTC) that days are counted back from
  /// @return what went, a line each for a log
  /// @throws StoreException if the store cannot be reached or fails; what went before that is gone
  List<String> expire(Retention retention, LocalDate today);

  /// Runs a SELECT and gives each row to `reader`, in order.
  ///
  /// @throws StoreException of kind REJECTED if ClickHouse does not understand the query,
  ///   LIMIT_EXCEEDED if it ran into a limit, UNAVAILABLE if the store cannot be reached
  <T> List<T> query(SqlQuery query, RowReader<T> reader);

  /// Gives up the query with this id, from any thread: its caller gets a [StoreException], and the
  /// store ends it when it sees that nobody waits. Does nothing if no such query runs.
  void cancel(String queryId);

  /// Whether the store answers and has this version's schema.
  boolean isReady();

  @Override
  void close();
}
