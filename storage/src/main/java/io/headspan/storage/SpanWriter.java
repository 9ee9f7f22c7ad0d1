package io.headspan.storage;

import io.headspan.wire.SpanBatch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Writes batches: first the resources and scopes that are not known to be stored, then the spans
/// that name them, so that no span is ever without its origin. Thread-safe.
final class SpanWriter {
  /// Origins remembered as stored; at the limit all are forgotten, and written once more.
  private static final int REMEMBERED_MAX = 200_000;

  private static final int ENCODERS_KEPT = 4;

  /// A resource or scope on a day, for both are stored by day.
  private record Stored(boolean scope, long fingerprint, int day) {}

  private final StoreClient client;
  private final Set<Stored> stored = ConcurrentHashMap.newKeySet();
  private final ConcurrentLinkedQueue<BlockEncoder> encoders = new ConcurrentLinkedQueue<>();

  SpanWriter(StoreClient client) {
    this.client = client;
  }

  void insert(SpanBatch batch, String deduplicationToken, Tier tier) {
    if (batch.size() == 0) {
      return;
    }
    client.insert(
        tier.table(),
        encoded(batch, tier),
        Map.of(
            "insert_deduplicate", "1",
            "insert_deduplication_token", deduplicationToken,
            "deduplicate_blocks_in_dependent_materialized_views", "1"));
  }

  /// The block of a batch whose origins are stored. An encoder's buffers are several times as large
  /// and grow by doubling: few of them are kept, and none is held while the store takes its time.
  private NativeSink encoded(SpanBatch batch, Tier tier) {
    BlockEncoder taken = encoders.poll();
    BlockEncoder encoder = taken == null ? new BlockEncoder() : taken;
    Origins origins = Origins.of(batch);
    writeOrigins(encoder, batch, origins);
    encoder.spans(batch, origins, tier);
    NativeSink block = encoder.sink().copy();
    if (encoders.size() < ENCODERS_KEPT) {
      encoders.add(encoder);
    }
    return block;
  }

  boolean isStored(SpanBatch batch) {
    Set<Integer> days = new HashSet<>();
    for (int span = 0; span < batch.size(); span++) {
      if (days.add(BlockEncoder.day(batch.startNs(span))) && !isStored(batch, span)) {
        return false;
      }
    }
    return true;
  }

  private boolean isStored(SpanBatch batch, int span) {
    // Time and trace are the primary key, so this reads one granule or none.
    SqlQuery query =
        SqlQuery.of(
                """
                SELECT count() FROM
                (
                    SELECT time, trace_id, span_id FROM recent_spans
                    UNION ALL SELECT time, trace_id, span_id FROM kept_spans
                )
                WHERE time = fromUnixTimestamp64Nano({time:Int64}, 'UTC')
                  AND toStartOfFiveMinutes(time)
                    = toStartOfFiveMinutes(fromUnixTimestamp64Nano({time:Int64}, 'UTC'))
                  AND trace_id = unhex({trace:String})
                  AND span_id = {span:UInt64}
                """)
            .bind("time", batch.startNs(span))
            .bind(
                "trace",
                HexFormat.of().toHexDigits(batch.traceIdHigh(span))
                    + HexFormat.of().toHexDigits(batch.traceIdLow(span)))
            .bind("span", Long.toUnsignedString(batch.spanId(span)));
    long[] found = new long[1];
    client.select(
        query,
        block -> {
          for (int row = 0; row < block.rows(); row++) {
            found[0] += block.row(row).integer(0);
          }
        });
    return found[0] > 0;
  }

  /// Forgets which origins are stored, since the store may be another one.
  void forget() {
    stored.clear();
  }

  private void writeOrigins(BlockEncoder encoder, SpanBatch batch, Origins origins) {
    Set<Stored> unseen = new HashSet<>();
    Rows resources = new Rows();
    Rows scopes = new Rows();
    int lastScope = -1;
    int lastDay = -1;
    for (int span = 0; span < batch.size(); span++) {
      int scope = batch.scope(span);
      int day = BlockEncoder.day(batch.startNs(span));
      // Spans come by scope nearly always; only a change is looked up.
      if (scope == lastScope && day == lastDay) {
        continue;
      }
      lastScope = scope;
      lastDay = day;
      int resource = batch.scopeResource(scope);
      Stored storedResource = new Stored(false, origins.resourceFingerprints()[resource], day);
      if (!stored.contains(storedResource) && unseen.add(storedResource)) {
        resources.add(resource, day);
      }
      Stored storedScope = new Stored(true, origins.scopeFingerprints()[scope], day);
      if (!stored.contains(storedScope) && unseen.add(storedScope)) {
        scopes.add(scope, day);
      }
    }
    if (unseen.isEmpty()) {
      return;
    }
    if (resources.size() > 0) {
      encoder.resources(batch, origins, resources.owners(), resources.days(), resources.size());
      client.insert("resources", encoder.sink(), Map.of());
    }
    if (scopes.size() > 0) {
      encoder.scopes(batch, origins, scopes.owners(), scopes.days(), scopes.size());
      client.insert("scopes", encoder.sink(), Map.of());
    }
    if (stored.size() + unseen.size() > REMEMBERED_MAX) {
      stored.clear();
    }
    stored.addAll(unseen);
  }

  /// Rows to write: an origin and a day each.
  private static final class Rows {
    private final List<Integer> owners = new ArrayList<>();
    private final List<Integer> days = new ArrayList<>();

    void add(int owner, int day) {
      owners.add(owner);
      days.add(day);
    }

    int size() {
      return owners.size();
    }

    int[] owners() {
      return owners.stream().mapToInt(Integer::intValue).toArray();
    }

    int[] days() {
      return days.stream().mapToInt(Integer::intValue).toArray();
    }
  }
}
