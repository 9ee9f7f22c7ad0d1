package io.headspan.storage;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.LocalDate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Spans, and what is beside them, in ClickHouse. Thread-safe; one instance serves a whole process.
public final class SpanStore implements AutoCloseable {
  private final StoreAddress address;
  private final StoreClient client;
  private final Migrator migrator;
  private final SpanWriter writer;
  private final SignalWriter signals;
  private final RecordWriter records;
  private final TraceReader traces;
  private final SpanTiers tiers;

  private SpanStore(StoreAddress address) {
    this.address = address;
    client = new StoreClient(address);
    migrator = new Migrator(address, client);
    writer = new SpanWriter(client);
    signals = new SignalWriter(client);
    records = new RecordWriter(client);
    tiers = new SpanTiers(client);
    traces = new TraceReader(client, tiers);
  }

  /// A store at `address`. Does not connect yet: see [#isReady()].
  public static SpanStore connect(StoreAddress address) {
    return new SpanStore(address);
  }

  /// Where the store is.
  public StoreAddress address() {
    return address;
  }

  /// Creates the database and brings its tables to this version's schema. Repeating it, also from
  /// several processes at once, does no harm.
  ///
  /// @throws StoreException if a migration fails, or the schema is newer than this program
  public void migrate() {
    writer.forget();
    migrator.migrate();
  }

  /// Stores the spans of `batch` as kept; when this returns, ClickHouse has them. A batch with a
  /// token already seen is not stored again, nor counted again in any rollup.
  ///
  /// @param deduplicationToken names the batch; equal tokens mean equal batches
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insert(SpanBatch batch, String deduplicationToken) {
    insert(batch, deduplicationToken, Tier.KEPT);
  }

  /// The same, for a tier. A batch that comes again has to come to the same one.
  public void insert(SpanBatch batch, String deduplicationToken, Tier tier) {
    writer.insert(batch, deduplicationToken, tier);
  }

  /// Whether the spans of `batch` are stored, under whatever token: looks for one span of each day
  /// that it has spans of, because the spans of a day are stored together or not at all.
  ///
  /// @throws StoreException if the store cannot be reached or fails
  public boolean isStored(SpanBatch batch) {
    return writer.isStored(batch);
  }

  /// Stores what an agent tells about its node; when this returns, ClickHouse has it. A report with
  /// a token already seen is not stored again.
  ///
  /// @param deduplicationToken names the report
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insert(NodeReport report, String deduplicationToken) {
    signals.insert(report, deduplicationToken);
  }

  /// Stores what was left out of a batch; when this returns, ClickHouse has it. The same with a
  /// token already seen is not stored again.
  ///
  /// @param deduplicationToken names it
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insertLeftOut(List<LeftOut> leftOut, String deduplicationToken) {
    signals.insert(leftOut, deduplicationToken);
  }

  /// Stores log records; when this returns, ClickHouse has them. A batch with a token already seen
  /// is not stored again. A record without any time is of 1970.
  ///
  /// @param deduplicationToken names the batch
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insert(LogBatch batch, String deduplicationToken) {
    records.insert(batch, deduplicationToken);
  }

  /// Stores data points of metrics, as log records are.
  ///
  /// @param deduplicationToken names the batch
  /// @throws StoreException of kind UNAVAILABLE if it is worth trying again, REJECTED if not
  public void insert(MetricBatch batch, String deduplicationToken) {
    records.insert(batch, deduplicationToken);
  }

  /// The spans of one trace, each once, in order of start time; an empty batch if there are none.
  ///
  /// @param maxSpans the most spans to return: the earliest ones
  /// @throws StoreException if the store cannot be reached or fails
  public SpanBatch trace(long traceIdHigh, long traceIdLow, int maxSpans) {
    return trace(traceIdHigh, traceIdLow, maxSpans, List.of()).spans();
  }

  /// The same of the spans that some tenants have in the trace, as if there were no others.
  ///
  /// @param tenants whose spans; all if empty
  public TraceSpans trace(long traceIdHigh, long traceIdLow, int maxSpans, List<String> tenants) {
    return traces.read(traceIdHigh, traceIdLow, maxSpans, tenants);
  }

  /// The same of several traces, by id: as few statements as can be. Those without spans are left
  /// out.
  ///
  /// @param traceIds 32 hex digits each
  public Map<String, SpanBatch> traces(List<String> traceIds, int maxSpans) {
    Map<String, SpanBatch> found = new HashMap<>();
    traces(traceIds, maxSpans, List.of()).forEach((id, trace) -> found.put(id, trace.spans()));
    return found;
  }

  /// The same of the spans that some tenants have in the traces, as if there were no others.
  ///
  /// @param tenants whose spans; all if empty
  public Map<String, TraceSpans> traces(List<String> traceIds, int maxSpans, List<String> tenants) {
    return traces.read(traceIds, maxSpans, tenants);
  }

  /// What moves spans from the recent to the kept tier.
  public SpanTiers tiers() {
    return tiers;
  }

  /// Lets go of what has been stored for longer than its tenants want; the rollups that costs are
  /// counted from stay for 400 days. However often it is done, and by however many, it is the same.
  ///
  /// @param today the day (UTC) that days are counted back from
  /// @return what went, a line each for a log
  /// @throws StoreException if the store cannot be reached or fails; what went before that is gone
  public List<String> expire(Retention retention, LocalDate today) {
    return new Expiry(client).run(retention, today);
  }

  /// Runs a SELECT and gives each row to `reader`, in order.
  ///
  /// @throws StoreException of kind REJECTED if ClickHouse does not understand the query,
  ///   LIMIT_EXCEEDED if it ran into a limit, UNAVAILABLE if the store cannot be reached
  public <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    return client.rows(query, reader);
  }

  /// Gives up the query with this id, from any thread: its caller gets a [StoreException], and the
  /// store ends it when it sees that nobody waits. Does nothing if no such query runs.
  public void cancel(String queryId) {
    client.cancel(queryId);
  }

  /// Whether the store answers and has this version's schema.
  public boolean isReady() {
    try {
      return migrator.isCurrent();
    } catch (StoreException e) {
      return false;
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
