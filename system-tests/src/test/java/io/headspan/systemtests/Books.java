package io.headspan.systemtests;

import io.headspan.storage.SqlQuery;
import java.util.HashMap;
import java.util.Map;

/// What became of a tenant's spans by the ledger of one start of the agent, as the store last heard
/// of it from that start or, if it was killed, from the next one.
record Books(
    long recovered, long captured, long acknowledged, long inMemory, long spooled, long dropped) {

  /// By the start's boot id.
  static Map<String, Books> byBoot(HeadspanNode node, String tenant) {
    Map<String, Books> books = new HashMap<>();
    node.query(
            SqlQuery.of(
                    """
                    SELECT boot,
                      toInt64(sumIf(spans, state = 'recovered')),
                      toInt64(sumIf(spans, state = 'captured')),
                      toInt64(sumIf(spans, state = 'acknowledged')),
                      toInt64(sumIf(spans, state = 'in_memory')),
                      toInt64(sumIf(spans, state = 'spooled')),
                      toInt64(sumIf(spans, state = 'dropped'))
                    FROM node_ledger
                    WHERE tenant = {tenant:String}
                      AND (boot, sequence) IN
                        (SELECT boot, max(sequence) FROM node_ledger GROUP BY boot)
                    GROUP BY boot
                    """)
                .bind("tenant", tenant),
            row ->
                Map.entry(
                    row.text(0),
                    new Books(
                        row.integer(1),
                        row.integer(2),
                        row.integer(3),
                        row.integer(4),
                        row.integer(5),
                        row.integer(6))))
        .forEach(entry -> books.put(entry.getKey(), entry.getValue()));
    return books;
  }

  /// Spans that came in and of which these books do not say where they are.
  long imbalance() {
    return captured + recovered - acknowledged - inMemory - spooled - dropped;
  }
}
