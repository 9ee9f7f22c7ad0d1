package io.headspan.storage;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The store on a server that stands alone, or in one shard of a cluster.
final class ShardStore implements SpanStore {
  private final StoreAddress address;
  private final StoreClient client;
  private final SchemaKeeper schema;
  private final double share;
  private final Optional<SpanStore> whole;
  private final SpanWriter writer;
  private final SignalWriter signals;
  private final RecordWriter records;
  private final TraceReader traces;
  private final SpanTiers tiers;

  /// On a server that stands alone.
  ShardStore(StoreAddress address) {
    this(address, new NodeClient(address));
  }

  private ShardStore(StoreAddress address, StoreClient client) {
    this(
        address,
        client,
        new ServerSchema(address, client),
        1,
        Optional.empty(),
        SpanTiers.Surroundings.ALONE);
  }

  /// @param address with the database of the tables
  /// @param schema what the tables are a part of
  /// @param share of all traces, that go here
  /// @param whole the cluster, of a shard
  ShardStore(
      StoreAddress address,
      StoreClient client,
      SchemaKeeper schema,
      double share,
      Optional<SpanStore> whole,
      SpanTiers.Surroundings surroundings) {
    this.address = address;
    this.client = client;
    this.schema = schema;
    this.share = share;
    this.whole = whole;
    writer = new SpanWriter(client);
    signals = new SignalWriter(client);
    records = new RecordWriter(client);
    tiers = new SpanTiers(client, surroundings);
    traces = new TraceReader(client, tiers::boundarySeconds);
  }

  @Override
  public StoreAddress address() {
    return address;
  }

  @Override
  public void migrate() {
    writer.forget();
    schema.migrate();
  }

  @Override
  public void insert(SpanBatch batch, String deduplicationToken, Tier tier) {
    writer.insert(batch, deduplicationToken, tier);
  }

  @Override
  public boolean isStored(SpanBatch batch) {
    return writer.isStored(batch);
  }

  @Override
  public boolean knowsTokens(Duration age) {
    return KnownTokens.reachBack(client, age);
  }

  @Override
  public void insert(NodeReport report, String deduplicationToken) {
    signals.insert(report, deduplicationToken);
  }

  @Override
  public void insertLeftOut(List<LeftOut> leftOut, String deduplicationToken) {
    signals.insert(leftOut, deduplicationToken);
  }

  @Override
  public void insert(LogBatch batch, String deduplicationToken) {
    records.insert(batch, deduplicationToken);
  }

  @Override
  public void insert(MetricBatch batch, String deduplicationToken) {
    records.insert(batch, deduplicationToken);
  }

  @Override
  public TraceSpans trace(long traceIdHigh, long traceIdLow, TraceRead read) {
    return traces.read(traceIdHigh, traceIdLow, read);
  }

  @Override
  public Map<String, TraceSpans> traces(List<String> traceIds, TraceRead read) {
    return traces.read(traceIds, read);
  }

  @Override
  public SpanTiers tiers() {
    return tiers;
  }

  @Override
  public List<SpanStore> shards() {
    return List.of(this);
  }

  @Override
  public SpanStore whole() {
    return whole.orElse(this);
  }

  @Override
  public double share() {
    return share;
  }

  @Override
  public long keep(List<String> traceIds) {
    return tiers.pin(traceIds);
  }

  @Override
  public List<SpanTiers.Recorded> decisions(String traceId) {
    return tiers.decisions(traceId);
  }

  @Override
  public List<String> expire(Retention retention, LocalDate today) {
    return new Expiry(client).run(retention, today);
  }

  @Override
  public <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    return client.rows(query, reader);
  }

  @Override
  public void cancel(String queryId) {
    client.cancel(queryId);
  }

  @Override
  public boolean isReady() {
    try {
      return schema.isCurrent();
    } catch (StoreException e) {
      return false;
    }
  }

  @Override
  public void close() {
    client.close();
  }

  private record ServerSchema(StoreAddress address, StoreClient client) implements SchemaKeeper {
    @Override
    public void migrate() {
      new Migrator(Optional.empty()).migrate(new Migrator.Target(address, 1, client));
    }

    @Override
    public boolean isCurrent() {
      return Migrator.isCurrent(client);
    }
  }
}
