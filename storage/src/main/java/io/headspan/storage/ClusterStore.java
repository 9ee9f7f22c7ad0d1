package io.headspan.storage;

import io.headspan.wire.LogBatch;
import io.headspan.wire.MetricBatch;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanExcerpt;
import io.headspan.wire.signal.NodeReport;
import java.time.Duration;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The store of a cluster. A trace, with its logs and all that is derived from it, is in one shard;
/// a batch is split, each part under a token of its own, so that a part that was stored before the
/// others failed is not stored again. What is of no trace goes where the batch's token says.
///
/// Reading goes through Distributed tables, but for traces by their ids: those come from each
/// shard's own tables.
final class ClusterStore implements SpanStore {
  private final StoreAddress address;
  private final ClusterNodes nodes;
  private final StoreClient reads;
  private final TraceReader traces;
  private final ExecutorService threads =
      Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("store-shard-", 0).factory());
  private volatile @Nullable List<ShardStore> shards;

  ClusterStore(StoreAddress address) {
    this.address = address;
    nodes = new ClusterNodes(address);
    reads = nodes.reads();
    traces = new TraceReader(this::selectFromEach, this::boundarySecond);
  }

  @Override
  public StoreAddress address() {
    return address;
  }

  @Override
  public void migrate() {
    // Each forgets what it took for stored.
    shards = null;
    nodes.migrate();
  }

  @Override
  public void insert(SpanBatch batch, String deduplicationToken, Tier tier) {
    forEachPart(
        parts(batch),
        deduplicationToken,
        (shard, part) -> shard.insert(part.content(), part.token(), tier));
  }

  @Override
  public boolean isStored(SpanBatch batch) {
    List<ShardStore> all = known();
    return parts(batch).entrySet().stream()
        .allMatch(part -> all.get(part.getKey()).isStored(part.getValue()));
  }

  @Override
  public boolean knowsTokens(Duration age) {
    return known().stream().allMatch(shard -> shard.knowsTokens(age));
  }

  @Override
  public void insert(NodeReport report, String deduplicationToken) {
    ofToken(deduplicationToken).insert(report, deduplicationToken);
  }

  @Override
  public void insertLeftOut(List<LeftOut> leftOut, String deduplicationToken) {
    ofToken(deduplicationToken).insertLeftOut(leftOut, deduplicationToken);
  }

  @Override
  public void insert(LogBatch batch, String deduplicationToken) {
    Sharding sharding = nodes.sharding();
    Map<Integer, List<LogBatch.Entry>> entries = new TreeMap<>();
    for (LogBatch.Entry entry : batch.entries()) {
      int shard =
          entry.traceIdHigh() == 0 && entry.traceIdLow() == 0
              ? sharding.ofToken(deduplicationToken)
              : sharding.ofTrace(entry.traceIdHigh(), entry.traceIdLow());
      entries.computeIfAbsent(shard, _ -> new ArrayList<>()).add(entry);
    }
    Map<Integer, LogBatch> parts = new TreeMap<>();
    entries.forEach((shard, some) -> parts.put(shard, new LogBatch(some)));
    forEachPart(
        parts, deduplicationToken, (shard, part) -> shard.insert(part.content(), part.token()));
  }

  @Override
  public void insert(MetricBatch batch, String deduplicationToken) {
    ofToken(deduplicationToken).insert(batch, deduplicationToken);
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
  public List<SpanStore> shards() {
    return List.copyOf(known());
  }

  @Override
  public SpanStore whole() {
    return this;
  }

  @Override
  public double share() {
    return 1;
  }

  @Override
  public long keep(List<String> traceIds) {
    return known().stream().mapToLong(shard -> shard.keep(traceIds)).sum();
  }

  @Override
  public List<SpanTiers.Recorded> decisions(String traceId) {
    return onEach(shard -> shard.decisions(traceId)).stream()
        .flatMap(List::stream)
        .sorted(Comparator.comparing(SpanTiers.Recorded::decided).reversed())
        .toList();
  }

  @Override
  public SpanTiers tiers() {
    throw new IllegalStateException("each shard has tiers of its own: store=" + address);
  }

  @Override
  public List<String> expire(Retention retention, LocalDate today) {
    List<String> gone = new ArrayList<>();
    List<ShardStore> all = known();
    for (int i = 0; i < all.size(); i++) {
      for (String line : all.get(i).expire(retention, today)) {
        gone.add("shard=" + (i + 1) + ", " + line);
      }
    }
    return gone;
  }

  @Override
  public <T> List<T> query(SqlQuery query, RowReader<T> reader) {
    return reads.rows(query, reader);
  }

  @Override
  public void cancel(String queryId) {
    reads.cancel(queryId);
    List<ShardStore> all = shards;
    if (all != null) {
      all.forEach(shard -> shard.cancel(queryId));
    }
  }

  @Override
  public boolean isReady() {
    try {
      return nodes.isCurrent();
    } catch (StoreException e) {
      return false;
    }
  }

  @Override
  public void close() {
    nodes.close();
    threads.close();
  }

  private List<ShardStore> known() {
    List<ShardStore> all = shards;
    if (all == null) {
      Sharding sharding = nodes.sharding();
      all =
          IntStream.range(0, sharding.shards())
              .mapToObj(shard -> shard(shard, sharding.share(shard)))
              .toList();
      shards = all;
    }
    return all;
  }

  private ShardStore shard(int shard, double share) {
    return new ShardStore(
        address.withDatabase(address.tableDatabase()),
        nodes.shard(shard),
        nodes,
        share,
        Optional.of(this),
        new SpanTiers.Surroundings(
            address.database() + ".", address.cluster().orElseThrow().replicated()));
  }

  private ShardStore ofToken(String token) {
    return known().get(nodes.sharding().ofToken(token));
  }

  /// The spans of each shard, by its index.
  private Map<Integer, SpanBatch> parts(SpanBatch batch) {
    Sharding sharding = nodes.sharding();
    Map<Integer, BitSet> spans = new TreeMap<>();
    for (int span = 0; span < batch.size(); span++) {
      spans
          .computeIfAbsent(
              sharding.ofTrace(batch.traceIdHigh(span), batch.traceIdLow(span)), _ -> new BitSet())
          .set(span);
    }
    Map<Integer, SpanBatch> parts = new TreeMap<>();
    spans.forEach(
        (shard, some) -> parts.put(shard, spans.size() == 1 ? batch : SpanExcerpt.of(batch, some)));
    return parts;
  }

  /// What a shard gets of a batch.
  private record Part<T>(T content, String token) {}

  private <T> void forEachPart(
      Map<Integer, T> parts, String token, BiConsumer<ShardStore, Part<T>> insert) {
    List<ShardStore> all = known();
    Sharding sharding = nodes.sharding();
    List<Callable<Void>> inserts = new ArrayList<>();
    parts.forEach((shard, content) ->
        inserts.add(() -> {
          insert.accept(all.get(shard), new Part<>(content, sharding.partToken(token, shard)));
          return null;
        }));
    var _ = inParallel(inserts);
  }

  private <T> List<T> onEach(Function<ShardStore, T> task) {
    return inParallel(
        known().stream().map(shard -> (Callable<T>) () -> task.apply(shard)).toList());
  }

  /// The first of the shards' boundaries: asked only for spans without an id.
  private long boundarySecond() {
    return onEach(shard -> shard.tiers().boundarySeconds()).stream()
        .mapToLong(Long::longValue)
        .min()
        .orElse(0);
  }

  /// Each shard's blocks after another's. A shard has a trace whole, so limits hold of it as they
  /// do of all.
  private void selectFromEach(SqlQuery sql, Consumer<NativeBlock> blocks) {
    List<Callable<List<NativeBlock>>> selects = new ArrayList<>();
    for (int i = 0; i < known().size(); i++) {
      StoreClient shard = nodes.shard(i);
      selects.add(() -> {
        List<NativeBlock> found = new ArrayList<>();
        shard.select(sql, found::add);
        return found;
      });
    }
    inParallel(selects).forEach(found -> found.forEach(blocks));
  }

  /// Runs all tasks to their end, whatever becomes of the others: what can be stored is, and what
  /// failed is then all that is left to try again.
  private <T> List<T> inParallel(List<Callable<T>> tasks) {
    List<Future<T>> running = tasks.stream().map(threads::submit).toList();
    List<T> results = new ArrayList<>();
    RuntimeException failure = null;
    for (Future<T> each : running) {
      try {
        results.add(each.get());
      } catch (ExecutionException e) {
        failure = worse(failure, e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new StoreException(
            StoreException.Kind.UNAVAILABLE, 0, "interrupted while shards were asked", e);
      }
    }
    if (failure != null) {
      throw failure;
    }
    return results;
  }

  /// Which of two failures is told: as long as one part may yet be stored, the batch is worth
  /// another try.
  private static RuntimeException worse(
      @Nullable RuntimeException before, @Nullable Throwable next) {
    RuntimeException now =
        next instanceof RuntimeException e ? e : new IllegalStateException("shard failed", next);
    if (before instanceof StoreException first
        && (first.kind() == StoreException.Kind.UNAVAILABLE
            || (now instanceof StoreException second
                && second.kind() != StoreException.Kind.UNAVAILABLE))) {
      return first;
    }
    return now;
  }
}
