package io.headspan.query.explain;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.SqlQuery;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// `/api/headspan/v1/service-graph`: who called whom, how often, how long it took the caller.
///
/// What agents and what SDKs tell of one edge is not added up: the side with more calls counts, the
/// agents' if they agree within 2 %. Calls that spans stand for count; percentiles are within 1 %.
public final class ServiceGraphApi {
  private static final double NS_PER_MS = 1e6;
  private static final double AGREE = 1.02;

  /// Sampled spans stand for others, so their count is known so well only.
  private static final double DEVIATIONS = 3;

  private static final int EDGES = 2000;

  private static final String SQL =
      """
      SELECT tenant, service, callee_tenant, if(callee!='',callee,address) AS called, \
      if(callee!='','service',if(system!='','database','address')) AS kind, of_sdk, \
      toInt64(round(sum(stands))) AS calls, toInt64(round(sumIf(stands,status=2))), \
      quantilesExactWeighted(0.5,0.95,0.99)(bucket,toUInt64(round(stands*1000))), \
      sum(stands*(stands-1)) \
      FROM (SELECT tenant, service, trace_id, span_id, runtime='' AS of_sdk, status, \
      adjusted_count AS stands, exp(round(log(greatest(duration,1))*100)/100) AS bucket, \
      toString(db_system) AS system, if(system!='',system, \
      concat(string_values[indexOf(string_keys,'server.address')],':',toString(ints['server.port']))) AS address \
      FROM spans WHERE %1$s AND kind IN (3,4) AND NOT open AND adjusted_count>0) AS calls \
      LEFT ANY JOIN (SELECT trace_id, parent_span_id AS caller, \
      toString(tenant) AS callee_tenant, toString(service) AS callee \
      FROM spans WHERE %1$s AND kind IN (2,5) AND parent_span_id!=0 AND NOT open) AS served \
      ON calls.trace_id=served.trace_id AND calls.span_id=served.caller \
      WHERE called NOT IN ('',':0') \
      GROUP BY tenant, service, callee_tenant, called, kind, of_sdk \
      ORDER BY calls DESC, service, called LIMIT {edges:UInt32}\
      """
          .formatted(
              "time>=fromUnixTimestamp64Nano({from:Int64},'UTC') "
                  + "AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')");

  private record Edge(
      String tenant, String caller, String calleeTenant, String callee, String kind) {}

  private record Calls(
      boolean ofSdk, long count, long errors, double[] quantilesNs, double variance) {
    /// The one that tells of more.
    Calls or(Calls other) {
      Calls sdk = ofSdk ? this : other;
      Calls agents = ofSdk ? other : this;
      double surely = sdk.count - DEVIATIONS * Math.sqrt(sdk.variance);
      return agents.count * AGREE >= surely ? agents : sdk;
    }
  }

  private final Queries queries;

  public ServiceGraphApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/service-graph", threads.service(this::graph));
  }

  private HttpResponse graph(Request request) {
    TimeRange range = request.exactRange("from", "to");
    List<Map.Entry<Edge, Calls>> rows =
        queries.run(
            request,
            SqlQuery.of(SQL)
                .bind("from", range.fromNs())
                .bind("to", range.toNs())
                .bind("edges", EDGES),
            row ->
                Map.entry(
                    new Edge(row.text(0), row.text(1), row.text(2), row.text(3), row.text(4)),
                    new Calls(
                        row.flag(5),
                        row.integer(6),
                        row.integer(7),
                        row.numbers(8),
                        row.number(9))));
    Map<Edge, Calls> edges = new LinkedHashMap<>();
    rows.forEach(row -> edges.merge(row.getKey(), row.getValue(), Calls::or));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeStringField("from", ExplainJson.time(range.fromNs()));
      json.writeStringField("to", ExplainJson.time(range.toNs()));
      json.writeArrayFieldStart("edges");
      for (Map.Entry<Edge, Calls> entry : edges.entrySet()) {
        Edge edge = entry.getKey();
        Calls calls = entry.getValue();
        json.writeStartObject();
        json.writeStringField("callerTenant", edge.tenant());
        json.writeStringField("caller", edge.caller());
        json.writeStringField("calleeTenant", edge.calleeTenant());
        json.writeStringField("callee", edge.callee());
        json.writeStringField("calleeKind", edge.kind());
        json.writeNumberField("calls", calls.count());
        json.writeNumberField("errors", calls.errors());
        json.writeNumberField("p50Ms", calls.quantilesNs()[0] / NS_PER_MS);
        json.writeNumberField("p95Ms", calls.quantilesNs()[1] / NS_PER_MS);
        json.writeNumberField("p99Ms", calls.quantilesNs()[2] / NS_PER_MS);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }
}
