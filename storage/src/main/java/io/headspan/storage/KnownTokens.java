package io.headspan.storage;

import java.time.Duration;

/// How far back the store's tables know the tokens of their blocks. Each knows those of its last so
/// many blocks (`non_replicated_deduplication_window`), and a table's blocks are numbered: so what
/// a table got within a time is at most what lies between its newest block and the newest one of
/// the parts that were written before. Merging makes the older parts younger, and the answer more
/// careful than it need be, never less.
final class KnownTokens {
  /// For blocks that are on their way, and clocks.
  private static final long BLOCKS_SPARE = 500;

  private static final Duration TIME_SPARE = Duration.ofSeconds(10);

  /// Parts that were merged stay listed for some minutes, which is what makes the answer good.
  private static final String SQL =
      """
      SELECT countIf(known = 0 OR newest - before + {spare:UInt64} > known) FROM
      (
          SELECT name AS table,
              toUInt64OrZero(extract(engine_full, 'non_replicated_deduplication_window = ([0-9]+)'))
                  * NOT startsWith(engine, 'Replicated') AS known
          FROM system.tables
          WHERE database = currentDatabase() AND (startsWith(engine, 'Replicated')
              OR position(engine_full, 'non_replicated_deduplication_window') > 0)
      ) AS windows
      LEFT JOIN
      (
          SELECT table, max(max_block_number) AS newest,
              maxIf(max_block_number, modification_time < now() - {age:UInt64}) AS before
          FROM system.parts WHERE database = currentDatabase() GROUP BY table
      ) AS blocks USING (table)
      """;

  private KnownTokens() {}

  /// Whether every table knows the tokens of all blocks that it got within `age`.
  static boolean reachBack(StoreClient client, Duration age) {
    return client
            .rows(
                SqlQuery.of(SQL)
                    .bind("spare", BLOCKS_SPARE)
                    .bind("age", age.plus(TIME_SPARE).toSeconds()),
                row -> row.integer(0))
            .getFirst()
        == 0;
  }
}
