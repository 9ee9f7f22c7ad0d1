package io.headspan.storage;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Moves spans from the tier of all recent ones to that of the kept ones. Thread-safe.
///
/// A batch of decisions is stored with its number as token. Batches are copied together: which, is
/// stored under the next number of a copy, whose traces are copied as one block with its first
/// batch as token. So whoever does it, and however often, each is there once, and what was recorded
/// first is what is copied. A batch that is recorded and not copied is found by [#uncopied].
///
/// Spans of a window count in the recent tier until [#close] moves the boundary over it; only later
/// [#drop] removes them there, since queries under way may still read them.
public final class SpanTiers {
  private static final Duration COPY_LIMIT = Duration.ofMinutes(5);

  /// How long a part must have been there to be dropped: what was in the middle of an insert when
  /// the traces of a window were looked through is younger.
  private static final Duration SETTLED = Duration.ofSeconds(90);

  /// Copies that others may plan while this one wants to.
  private static final int PLANS_MAX = 100;

  /// The sampler makes fewer batches of a slot.
  private static final long FIRST_PIN = 900;

  /// What stands in place of a policy that kept a trace.
  private static final String PINNED = "headspan keep";

  private static final String LINKED = "headspan link";

  private static final String DEDUPLICATE = "insert_deduplication_token";

  private final StoreClient client;
  private final Surroundings surroundings;
  private volatile List<String> copiedColumns = List.of();

  /// What the tables are a part of.
  ///
  /// @param allShards what comes before a table's name to mean those of all shards: "", or a
  ///   database with a dot
  /// @param replicated whether other servers put rows into the tables
  record Surroundings(String allShards, boolean replicated) {
    static final Surroundings ALONE = new Surroundings("", false);
  }

  SpanTiers(StoreClient client, Surroundings surroundings) {
    this.client = client;
    this.surroundings = surroundings;
  }

  /// Waits until this replica has what the others had when this was called. Tables are replicated
  /// one by one, so what one of them tells of need not be in the other yet.
  private void catchUp(String... tables) {
    if (surroundings.replicated()) {
      for (String table : tables) {
        client.run(
            SqlQuery.of("SYSTEM SYNC REPLICA " + table + " LIGHTWEIGHT").timeout(COPY_LIMIT));
      }
    }
  }

  /// The store's clock, ms since 1970: all times of arrival are by it.
  public long nowMillis() {
    return client
        .rows(SqlQuery.of("SELECT toUnixTimestamp64Milli(now64(3))"), row -> row.integer(0))
        .getFirst();
  }

  /// Records a batch of decisions, unless one of this number is recorded already.
  public void record(long batch, long decidedMillis, List<Decision> decisions) {
    RecordBlock<Decision> block = new RecordBlock<>(decisions, 13);
    block.longs("batch", _ -> batch);
    block.millis("decided", _ -> decidedMillis);
    block.traceIds("trace_id", Decision::traceIdHigh, Decision::traceIdLow);
    block.bools("kept", each -> each.kept() ? 1 : 0);
    block.bools("again", each -> each.again() ? 1 : 0);
    block.textLists("policies", Decision::policies);
    block.longs("threshold", Decision::threshold);
    block.longs("rows", Decision::rows);
    block.millis("last", Decision::lastMillis);
    block.times("start", Decision::startNs);
    block.times("end", Decision::endNs);
    block.texts("root_service", Decision::rootService);
    block.texts("root_operation", Decision::rootOperation);
    client.insert(
        "decisions",
        block.sink(),
        Map.of("insert_deduplicate", "1", DEDUPLICATE, "decisions-" + batch));
  }

  /// The number of the next batch of each second, of seconds that have batches: a batch's number is
  /// its second times 1000, and how many there were of it before. Those that [#pin] made do not
  /// count: they are by the second of now, and numbered apart.
  ///
  /// @param fromSecond the first second asked for
  public Map<Long, Long> nextBatches(long fromSecond) {
    Map<Long, Long> next = new HashMap<>();
    client
        .rows(
            SqlQuery.of(
                    """
                    SELECT intDiv(batch, 1000), max(batch) + 1 FROM decisions
                    WHERE batch >= {from:UInt64} * 1000 AND batch % 1000 < {pins:UInt64}
                    GROUP BY intDiv(batch, 1000)
                    """)
                .bind("from", fromSecond)
                .bind("pins", FIRST_PIN),
            row -> Map.entry(row.integer(0), row.integer(1)))
        .forEach(each -> next.put(each.getKey(), each.getValue()));
    return next;
  }

  /// When the first of what is recent arrived, ms since 1970; 0 if there is nothing.
  public long firstArrivalMillis() {
    return client
        .rows(
            SqlQuery.of("SELECT toUnixTimestamp64Milli(min(arrived)) FROM trace_arrivals"),
            row -> row.integer(0))
        .getFirst();
  }

  /// When the first of a window's spans that are recent arrived, ms since 1970; 0 if there is none.
  public long firstArrivalMillis(long windowSeconds) {
    return client
        .rows(
            SqlQuery.of(
                    """
                    SELECT toUnixTimestamp64Milli(min(arrived)) FROM trace_arrivals
                    WHERE window = toDateTime({window:UInt32}, 'UTC')
                    """)
                .bind("window", windowSeconds),
            row -> row.integer(0))
        .getFirst();
  }

  /// Keeps traces whose spans are recent and that are not kept; returns how many.
  ///
  /// @param traceIds 32 hex digits each
  public long pin(List<String> traceIds) {
    traceIds.forEach(SpanTiers::checkId);
    SqlQuery size = SqlQuery.of("SELECT count() FROM decisions WHERE batch = {batch:UInt64}");
    long batch = nowMillis() / 1000 * 1000 + FIRST_PIN;
    while (client.rows(size.bind("batch", batch), row -> row.integer(0)).getFirst() > 0) {
      batch++;
    }
    String ids =
        traceIds.stream().map(id -> "unhex('" + id + "')").collect(Collectors.joining(","));
    client.run(
        SqlQuery.of(
                """
                INSERT INTO decisions (batch, decided, trace_id, kept, again, policies, threshold,
                    rows, last, start, end, root_service, root_operation)
                SELECT {batch:UInt64}, now64(3), trace_id, true, false, [{pin:String}],
                    toUInt64(18446744073709551614), sum(rows), max(arrived), min(start),
                    greatest(max(end), max(last_start)), max(root).3, max(root).4
                FROM trace_arrivals
                WHERE trace_id IN (%1$s) AND trace_id NOT IN
                    (SELECT trace_id FROM decisions WHERE trace_id IN (%1$s) AND kept)
                GROUP BY trace_id
                """
                    .formatted(ids))
            .bind("batch", batch)
            .bind("pin", PINNED)
            .setting("max_query_size", "67108864"));
    copy(List.of(batch));
    return client.rows(size.bind("batch", batch), row -> row.integer(0)).getFirst();
  }

  /// Decisions to keep traces that were decided and not kept, because spans of traces that policies
  /// keep are linked to them, or the other way round. One link is followed, not the links of what
  /// is kept for a link alone. They count nothing, as those that were kept by hand: others stand
  /// for them.
  ///
  /// @param sinceMillis links that came, and traces that were decided, since then
  public List<Decision> linked(long sinceMillis) {
    if (client
            .rows(
                SqlQuery.of("SELECT count() FROM " + surroundings.allShards() + "trace_links"),
                row -> row.integer(0))
            .getFirst()
        == 0) {
      return List.of();
    }
    return client.rows(
        SqlQuery.of(
                """
                WITH
                    pairs AS
                    (
                        SELECT DISTINCT arrayJoin([(trace_id, linked), (linked, trace_id)]) AS pair
                        FROM %1$strace_links
                        WHERE arrived >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
                    ),
                    known AS
                    (
                        SELECT trace_id, max(kept) AS is_kept,
                            max(kept AND NOT again
                                AND NOT hasAny(policies, [{link:String}, {pin:String}])) AS is_chosen,
                            argMax((rows, last, start, end, root_service, root_operation), batch)
                                AS newest
                        FROM %1$sdecisions
                        WHERE batch >= intDiv({since:Int64}, 1000) * 1000
                          AND trace_id IN (SELECT pair.1 FROM pairs)
                        GROUP BY trace_id
                    )
                SELECT reinterpretAsUInt64(reverse(substring(trace_id, 1, 8))),
                    reinterpretAsUInt64(reverse(substring(trace_id, 9, 8))),
                    newest.1, toUnixTimestamp64Milli(newest.2), toUnixTimestamp64Nano(newest.3),
                    toUnixTimestamp64Nano(newest.4), toString(newest.5), toString(newest.6)
                FROM known
                WHERE NOT is_kept AND trace_id IN
                    (SELECT pair.2 FROM pairs
                     WHERE pair.1 IN (SELECT trace_id FROM known WHERE is_chosen))
                  AND (%2$s OR trace_id IN
                    (SELECT trace_id FROM decisions
                     WHERE batch >= intDiv({since:Int64}, 1000) * 1000))
                ORDER BY trace_id
                """
                    .formatted(surroundings.allShards(), surroundings.allShards().isEmpty()))
            // Links go from shard to shard; decided is what is here.
            .setting("distributed_product_mode", "global")
            .bind("since", sinceMillis)
            .bind("link", LINKED)
            .bind("pin", PINNED),
        row ->
            new Decision(
                row.integer(0),
                row.integer(1),
                true,
                false,
                List.of(LINKED),
                Decision.PINNED,
                row.integer(2),
                row.integer(3),
                row.integer(4),
                row.integer(5),
                row.text(6),
                row.text(7)));
  }

  private static void checkId(String id) {
    if (!id.matches("[0-9a-f]{32}")) {
      throw new IllegalArgumentException("no trace id: id=" + id);
    }
  }

  /// The decisions about a trace, the newest first.
  ///
  /// @param traceId 32 hex digits
  public List<Recorded> decisions(String traceId) {
    checkId(traceId);
    return client.rows(
        SqlQuery.of(
                """
                SELECT toUnixTimestamp64Milli(decided), kept, again,
                    arrayStringConcat(policies, ', '), threshold, rows
                FROM decisions WHERE trace_id = unhex({id:String}) ORDER BY batch DESC
                """)
            .bind("id", traceId),
        row ->
            new Recorded(
                Instant.ofEpochMilli(row.integer(0)),
                row.flag(1),
                row.flag(2),
                row.text(3),
                row.integer(4),
                row.integer(5)));
  }

  /// A decision as it is recorded.
  ///
  /// @param policies their names
  /// @param threshold as in [Decision]
  public record Recorded(
      Instant decided, boolean kept, boolean again, String policies, long threshold, long rows) {
    /// The share of traces like it that is kept; NaN if nobody knows.
    public double probability() {
      return threshold < 0 ? Double.NaN : 1 - (double) threshold / Decision.LIMIT;
    }
  }

  /// The batches since `batch` that are recorded and not copied, in order.
  public List<Long> uncopied(long batch) {
    return client.rows(
        SqlQuery.of(
                """
                SELECT DISTINCT batch FROM decisions
                WHERE batch >= {batch:UInt64}
                  AND batch NOT IN (SELECT batch FROM decision_batches WHERE batch >= {batch:UInt64})
                ORDER BY batch
                """)
            .bind("batch", batch),
        row -> row.integer(0));
  }

  /// Copies the traces that were kept in recorded batches, together; what is copied already stays
  /// as it is. To read the recent tier costs about the same for one batch as for many.
  public void copy(List<Long> batches) {
    List<Long> left = List.copyOf(batches);
    for (int tries = 0; !left.isEmpty(); tries++) {
      if (tries == PLANS_MAX) {
        throw new IllegalStateException("others are always first to plan copies: batches=" + left);
      }
      catchUp("tier_copies", "decision_batches");
      // Before what is planned: a plan that is made between the two has this number, or is seen.
      long number = nextCopy();
      Map<Long, Long> planned = planned(left);
      planned.values().stream().distinct().sorted().forEach(this::carryOut);
      left = left.stream().filter(batch -> !planned.containsKey(batch)).toList();
      if (!left.isEmpty()) {
        plan(number, left);
      }
    }
  }

  /// The copies that batches are of, by batch.
  private Map<Long, Long> planned(List<Long> batches) {
    Map<Long, Long> planned = new HashMap<>();
    client
        .rows(
            SqlQuery.of(
                    "SELECT batch, number FROM tier_copies WHERE batch IN {batches:Array(UInt64)}")
                .bind("batches", batches),
            row -> Map.entry(row.integer(0), row.integer(1)))
        .forEach(each -> planned.put(each.getKey(), each.getValue()));
    return planned;
  }

  private long nextCopy() {
    return client
        .rows(SqlQuery.of("SELECT max(number) + 1 FROM tier_copies"), row -> row.integer(0))
        .getFirst();
  }

  /// Makes batches one copy, unless another one has the number.
  ///
  /// @param batches planned nowhere before that number
  private void plan(long number, List<Long> batches) {
    RecordBlock<Long> block = new RecordBlock<>(batches, 2);
    block.longs("number", _ -> number);
    block.longs("batch", batch -> batch);
    client.insert(
        "tier_copies",
        block.sink(),
        Map.of("insert_deduplicate", "1", DEDUPLICATE, "copy-" + number));
  }

  /// What a copy is about.
  ///
  /// @param first its first batch, which is in no other copy
  /// @param copied of its batches
  /// @param again kept traces of which spans may be there, none of them kept in the same copy first
  /// @param weighted kept traces that stand for others
  private record Extent(
      long first, long copied, long kept, long again, long weighted, long startNs, long endNs) {}

  private static final String BATCHES =
      "batch IN (SELECT batch FROM tier_copies WHERE number = {copy:UInt64})";

  /// Copies what a plan says; done once, it does nothing more.
  private void carryOut(long copy) {
    catchUp("decisions", "recent_spans", "kept_spans");
    Extent extent =
        client
            .rows(
                SqlQuery.of(
                        """
                        SELECT min(batch), (SELECT count() FROM decision_batches WHERE %1$s),
                            countIf(kept), countIf(kept AND again), countIf(kept AND threshold != 0),
                            toUnixTimestamp64Nano(minIf(start, kept)), toUnixTimestamp64Nano(maxIf(end, kept))
                        FROM decisions WHERE %1$s
                        """
                            .formatted(BATCHES))
                    .bind("copy", copy),
                row ->
                    new Extent(
                        row.integer(0),
                        row.integer(1),
                        row.integer(2),
                        row.integer(3),
                        row.integer(4),
                        row.integer(5),
                        row.integer(6)))
            .getFirst();
    if (extent.copied() > 0) {
      return;
    }
    if (extent.kept() > 0) {
      copySpans(copy, extent);
    }
    client.run(
        SqlQuery.of(
                """
                INSERT INTO decision_batches
                SELECT batch, now64(3), count(), countIf(kept) FROM decisions
                WHERE %s GROUP BY batch ORDER BY batch
                """
                    .formatted(BATCHES))
            .bind("copy", copy)
            .setting("deduplicate_insert_select", "enable_even_for_bad_queries")
            .setting(DEDUPLICATE, "batch-" + extent.first()));
  }

  private void copySpans(long copy, Extent extent) {
    String columns = String.join(", ", copiedColumns());
    String spans = extent.weighted() == 0 ? columns : columns.replace("trace_state", TRACE_STATE);
    String missing =
        extent.again() == 0
            ? ""
            : """
            AND NOT (again AND (trace_id, span_id, time, duration) IN
              (SELECT trace_id, span_id, time, duration FROM kept_spans
               WHERE time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')
                 AND time <= fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                 AND trace_id IN (SELECT trace_id FROM decisions WHERE %s AND kept AND again)))
            """
                .formatted(BATCHES);
    client.run(
        SqlQuery.of(
                """
                INSERT INTO kept_spans
                    (%s, decision, trace_start, root_service, root_operation, adjusted_count)
                SELECT %s, decided_by, trace_begin, trace_service, trace_operation,
                    %s
                FROM recent_spans
                INNER JOIN
                (
                    SELECT trace_id, decided_by, all_again AS again, newest.1 AS threshold,
                        newest.2 AS trace_begin, newest.3 AS trace_service,
                        newest.4 AS trace_operation
                    FROM
                    (
                        SELECT trace_id, max(batch) AS decided_by, min(again) AS all_again,
                            argMax((threshold, start, root_service, root_operation), batch) AS newest
                        FROM decisions WHERE %5$s AND kept GROUP BY trace_id
                    )
                ) AS kept USING (trace_id)
                WHERE time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')
                  AND time <= fromUnixTimestamp64Nano({to:Int64}, 'UTC')
                  AND trace_id IN (SELECT trace_id FROM decisions WHERE %5$s AND kept)
                %4$s
                ORDER BY toStartOfFiveMinutes(time), trace_id, time, span_id
                """
                    .formatted(columns, spans, ADJUSTED_COUNT, missing, BATCHES))
            .bind("copy", copy)
            .bind("from", extent.startNs())
            .bind("to", extent.endNs())
            .timeout(COPY_LIMIT)
            // One block from the sorting on: the token is given out per block of the SELECT, and of
            // another number of blocks than the last time some would be stored again.
            .setting("max_threads", "1")
            .setting("max_block_size", "1000000000")
            .setting("optimize_read_in_order", "0")
            .setting("max_insert_threads", "1")
            .setting("min_insert_block_size_rows", "1000000000")
            .setting("min_insert_block_size_bytes", "1000000000000")
            .setting("deduplicate_insert_select", "enable_even_for_bad_queries")
            .setting(DEDUPLICATE, "kept-" + extent.first())
            // Thousands of ids looked up in each granule's filter cost more than reading it.
            .setting("ignore_data_skipping_indices", "by_trace,by_value"));
  }

  // OTEP 235: the member `ot` of a tracestate has the threshold `th` as up to 14 hex digits without
  // the zeros at their end. A sampler before us may have set it; probabilities are multiplied.

  /// The value of the member `ot`, "" if there is none.
  private static final String OT = "extract(toString(trace_state), '(?:^|,)[ \\\\t]*ot=([^,]*)')";

  /// The share that samplers before us kept.
  private static final String BEFORE =
      """
      (72057594037927936 - reinterpretAsUInt64(reverse(unhex(rightPad(
          extract(%s, '(?:^|;)th:([0-9a-f]{1,14})'), 14, '0'))))) / 72057594037927936\
      """
          .formatted(OT);

  private static final String NOW =
      "if(threshold >= 72057594037927936, 1, (72057594037927936 - threshold) / 72057594037927936)";

  /// 0 for what was pinned, 1 for what nobody knows the probability of.
  private static final String ADJUSTED_COUNT =
      """
      multiIf(threshold = 18446744073709551614, 0., threshold = 18446744073709551615, 1.,
          1 / (%s * %s))\
      """
          .formatted(NOW, BEFORE);

  private static final String NEW_THRESHOLD =
      """
      concat('th:', replaceRegexpOne(lower(leftPad(hex(toUInt64(round(72057594037927936 *
          (1 - %s * %s)))), 14, '0')), '0+$', ''))\
      """
          .formatted(NOW, BEFORE);

  /// As it came if all like it are kept, or there was no `th` and there is none now. Otherwise `ot`
  /// is put first, as W3C asks of a member that changed; without a probability `th` is taken out.
  private static final String TRACE_STATE =
      """
      if(threshold = 0 OR (threshold >= 72057594037927936 AND NOT match(%1$s, '(^|;)th:')),
          toString(trace_state),
          arrayStringConcat(arrayFilter(member -> NOT member IN ('', 'ot='), arrayPushFront(
              arrayFilter(member -> NOT startsWith(trimLeft(member), 'ot='),
                  splitByChar(',', toString(trace_state))),
              concat('ot=', arrayStringConcat(arrayFilter(entry -> entry != '', arrayPushFront(
                  arrayFilter(entry -> NOT startsWith(entry, 'th:'), splitByChar(';', %1$s)),
                  if(threshold >= 72057594037927936, '', %2$s))), ';')))), ','))\
      """
          .formatted(OT, NEW_THRESHOLD);

  /// What both tiers have and is not made of other columns. Asked for once: only a migration
  /// changes it, and nobody copies while one runs.
  private List<String> copiedColumns() {
    List<String> columns = copiedColumns;
    if (columns.isEmpty()) {
      columns =
          client.rows(
              SqlQuery.of(
                  """
                  SELECT name FROM system.columns
                  WHERE database = currentDatabase() AND table = 'recent_spans' AND default_kind = ''
                  ORDER BY position
                  """),
              row -> row.text(0));
      copiedColumns = columns;
    }
    return columns;
  }

  /// The last window that is read from the kept tier, in seconds since 1970; 0 if there is none.
  public long boundarySeconds() {
    return client
        .rows(
            SqlQuery.of("SELECT toUnixTimestamp(max(window)) FROM tier_boundary"),
            row -> row.integer(0))
        .getFirst();
  }

  /// The windows of which spans are in the recent tier, in seconds since 1970, in order.
  public List<Long> windowsSeconds() {
    return client.rows(
        SqlQuery.of(
            """
            SELECT DISTINCT toUnixTimestamp(toDateTime(partition, 'UTC')) AS window
            FROM system.parts
            WHERE database = currentDatabase() AND table = 'recent_spans' AND active
            ORDER BY window
            """),
        row -> row.integer(0));
  }

  /// Lets a window, and all before it, be read from the kept tier, and writes down what became of
  /// its spans. All of its traces must be decided and copied.
  ///
  /// @param overrun whether it must be given up though they are not
  public void close(long windowSeconds, boolean overrun) {
    catchUp("recent_spans", "kept_spans");
    client.run(
        SqlQuery.of(
                """
                INSERT INTO sampling_ledger
                SELECT toDateTime({window:UInt32}, 'UTC'), now64(3), tenant, state.1, state.2 FROM
                (
                    SELECT tenant, arrayJoin([('kept', toUInt64(sum(is_kept))), ({left:String},
                        toUInt64(sum(is_recent) - least(sum(is_kept), sum(is_recent))))]) AS state
                    FROM
                    (
                        SELECT tenant, count() AS is_kept, 0 AS is_recent FROM kept_spans
                        WHERE window = toDateTime({window:UInt32}, 'UTC') GROUP BY tenant
                        UNION ALL
                        SELECT tenant, 0 AS is_kept, count() AS is_recent FROM recent_spans
                        WHERE window = toDateTime({window:UInt32}, 'UTC') GROUP BY tenant
                    )
                    GROUP BY tenant
                )
                """)
            .bind("window", windowSeconds)
            .bind("left", overrun ? "recent_overrun" : "sampled_out")
            .timeout(COPY_LIMIT)
            .setting("deduplicate_insert_select", "enable_even_for_bad_queries")
            .setting(DEDUPLICATE, "closed-" + windowSeconds));
    client.run(
        SqlQuery.of("INSERT INTO tier_boundary SELECT toDateTime({window:UInt32}, 'UTC'), now64(3)")
            .bind("window", windowSeconds));
  }

  /// The parts of a closed window's partitions that were there before what is under way now: to be
  /// asked for before the window's traces are looked through, and dropped after that.
  public List<Part> settledParts(long windowSeconds) {
    return client.rows(
        SqlQuery.of(
                """
                SELECT table, name FROM system.parts
                WHERE database = currentDatabase() AND table IN ('recent_spans', 'trace_arrivals', 'trace_links')
                  AND active AND toUnixTimestamp(toDateTime(partition, 'UTC')) = {window:UInt32}
                  AND modification_time < now() - {settled:UInt32}
                  AND toDateTime({window:UInt32}, 'UTC') <=
                    (SELECT max(window) FROM tier_boundary WHERE moved < now64(3) - {settled:UInt32})
                """)
            .bind("window", windowSeconds)
            .bind("settled", SETTLED.toSeconds()),
        row -> new Part(row.text(0), row.text(1)));
  }

  /// A part of a table.
  public record Part(String table, String name) {}

  /// Drops parts; those that have been merged into others meanwhile stay.
  public void drop(List<Part> parts) {
    for (Part part : parts) {
      try {
        client.command(
            "ALTER TABLE " + part.table() + " DROP PART '" + part.name() + "'", Map.of());
      } catch (StoreException e) {
        if (e.code() != NO_SUCH_DATA_PART) {
          throw e;
        }
      }
    }
  }

  // After ClickHouse's src/Common/ErrorCodes.cpp.
  private static final int NO_SUCH_DATA_PART = 232;

  /// Whether `holder` is the one that samples, which it stays for `term` if it asks again before
  /// that is over. Another one that believes the same for a moment does no harm.
  public boolean lease(String holder, long nowMillis, Duration term) {
    if (!longestHolder(nowMillis).map(holder::equals).orElse(true)) {
      return false;
    }
    client.run(
        SqlQuery.of(
                """
                INSERT INTO sampler_lease
                SELECT {holder:String},
                    if(count() = 0, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), min(since)),
                    fromUnixTimestamp64Milli({until:Int64}, 'UTC')
                FROM sampler_lease
                WHERE holder = {holder:String}
                  AND until > fromUnixTimestamp64Milli({now:Int64}, 'UTC')
                """)
            .bind("holder", holder)
            .bind("now", nowMillis)
            .bind("until", nowMillis + term.toMillis()));
    return longestHolder(nowMillis).map(holder::equals).orElse(false);
  }

  private Optional<String> longestHolder(long nowMillis) {
    return client
        .rows(
            SqlQuery.of(
                    """
                    SELECT holder FROM sampler_lease
                    WHERE until > fromUnixTimestamp64Milli({now:Int64}, 'UTC')
                    GROUP BY holder ORDER BY min(since), holder LIMIT 1
                    """)
                .bind("now", nowMillis),
            row -> row.text(0))
        .stream()
        .findFirst();
  }
}
