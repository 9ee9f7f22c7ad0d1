package io.headspan.query.ledger;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.SqlQuery;
import java.util.List;

/// `/api/headspan/v1/ledger`: where every span is: the books of the agents, and what collectors
/// left out of batches that they acknowledged.
public final class LedgerApi {
  private static final int ROWS_MAX = 10_000;

  /// The newest report of each start of an agent has all that it knows since then.
  private static final String NODES =
      """
      SELECT host, tenant, state, reason, sum(spans) AS total FROM node_ledger \
      WHERE (agent,boot,sequence) IN (SELECT agent, boot, max(sequence) FROM node_ledger \
      WHERE time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<fromUnixTimestamp64Nano({to:Int64},'UTC') GROUP BY agent, boot) \
      GROUP BY host, tenant, state, reason HAVING total>0 \
      ORDER BY host, tenant, state, reason LIMIT {rows:UInt32}\
      """;

  private static final String LEFT_OUT =
      """
      SELECT collector, tenant, sender, signal, reason, sum(records) AS total FROM collector_ledger \
      WHERE time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<fromUnixTimestamp64Nano({to:Int64},'UTC') \
      GROUP BY collector, tenant, sender, signal, reason \
      ORDER BY total DESC, collector, tenant, sender, signal, reason LIMIT {rows:UInt32}\
      """;

  private record OfNode(String host, String tenant, String state, String reason, long spans) {}

  private record LeftOut(
      String collector, String tenant, String sender, String signal, String reason, long records) {}

  private final Queries queries;

  public LedgerApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/ledger", threads.service(this::ledger));
  }

  private HttpResponse ledger(Request request) {
    TimeRange range = request.exactRange("from", "to");
    List<OfNode> nodes =
        queries.run(
            request,
            in(range, NODES),
            row -> new OfNode(row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4)));
    List<LeftOut> leftOut =
        queries.run(
            request,
            in(range, LEFT_OUT),
            row ->
                new LeftOut(
                    row.text(0),
                    row.text(1),
                    row.text(2),
                    row.text(3),
                    row.text(4),
                    row.integer(5)));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("nodes");
      for (OfNode each : nodes) {
        json.writeStartObject();
        json.writeStringField("host", each.host());
        json.writeStringField("tenant", each.tenant());
        json.writeStringField("state", each.state());
        json.writeStringField("reason", each.reason());
        json.writeNumberField("spans", each.spans());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeArrayFieldStart("leftOut");
      for (LeftOut each : leftOut) {
        json.writeStartObject();
        json.writeStringField("collector", each.collector());
        json.writeStringField("tenant", each.tenant());
        json.writeStringField("sender", each.sender());
        json.writeStringField("signal", each.signal());
        json.writeStringField("reason", each.reason());
        json.writeNumberField("records", each.records());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  private static SqlQuery in(TimeRange range, String sql) {
    return SqlQuery.of(sql)
        .bind("from", range.fromNs())
        .bind("to", range.toNs())
        .bind("rows", ROWS_MAX);
  }
}
