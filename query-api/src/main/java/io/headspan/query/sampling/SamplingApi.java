package io.headspan.query.sampling;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.trace.Traces;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.Decision;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.time.Instant;
import java.util.List;

/// `/api/headspan/v1/sampling`: what was kept, by policy and by tenant, and for how much it stands;
/// `/api/headspan/v1/traces/{id}/decisions`: why a trace was kept, or not.
public final class SamplingApi {
  private static final long NS_PER_SECOND = 1_000_000_000;

  private static final String DECISIONS =
      """
      SELECT toUnixTimestamp64Milli(decided), kept, again, policies, threshold FROM decisions \
      WHERE trace_id=unhex({id:String}) ORDER BY batch DESC LIMIT 100\
      """;

  /// The newest decision about each trace; of those about spans that came later only if there is no
  /// other.
  private static final String LATEST =
      """
      (SELECT trace_id, argMax(kept,batch) AS kept, argMax(policies,batch) AS policies, \
      argMax(threshold,batch) AS threshold, argMax(rows,batch) AS rows FROM decisions \
      WHERE batch>={first:UInt64} AND batch<={last:UInt64} GROUP BY trace_id)\
      """;

  private static final String TOTALS = "SELECT count(), countIf(kept) FROM " + LATEST;

  /// A trace that several policies kept is in the count of each.
  private static final String POLICIES =
      """
      SELECT arrayJoin(if(empty(policies),[''],policies)) AS policy, count() AS traces, sum(rows), \
      sum(multiIf(threshold=%s,0.,threshold=%s,1.,1/(1-threshold/%d))) FROM %s \
      WHERE kept GROUP BY policy ORDER BY traces DESC, policy LIMIT 200\
      """
          .formatted(
              Long.toUnsignedString(Decision.PINNED),
              Long.toUnsignedString(Decision.UNKNOWN),
              Decision.LIMIT,
              LATEST);

  private static final String TENANTS =
      """
      SELECT tenant, sumIf(spans,state='kept') AS kept, sumIf(spans,state='sampled_out'), \
      sumIf(spans,state='recent_overrun') FROM sampling_ledger \
      WHERE window>=fromUnixTimestamp({from:Int64}) AND window<fromUnixTimestamp({to:Int64}) \
      GROUP BY tenant ORDER BY kept DESC, tenant LIMIT 1000\
      """;

  private final Queries queries;

  public SamplingApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server
        .service("/api/headspan/v1/sampling", threads.service(this::sampling))
        .service("/api/headspan/v1/traces/{id}/decisions", threads.service(this::decisions));
  }

  /// One decision about a trace.
  private record Made(
      Instant decided, boolean kept, boolean again, List<String> policies, long threshold) {}

  private HttpResponse decisions(Request request) {
    List<Made> decisions =
        queries.run(
            request,
            SqlQuery.of(DECISIONS).bind("id", Traces.paddedId(request.path("id"))),
            row ->
                new Made(
                    Instant.ofEpochMilli(row.integer(0)),
                    row.flag(1),
                    row.flag(2),
                    row.texts(3),
                    row.integer(4)));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("decisions");
      for (Made made : decisions) {
        json.writeStartObject();
        json.writeStringField("decided", made.decided().toString());
        json.writeBooleanField("kept", made.kept());
        json.writeBooleanField("again", made.again());
        json.writeFieldName("policies");
        json.writeArray(made.policies().toArray(String[]::new), 0, made.policies().size());
        probability(json, made.threshold());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /// The share of traces like it that is kept; null if nobody knows.
  private static void probability(JsonGenerator json, long threshold) throws IOException {
    if (threshold < 0) {
      json.writeNullField("probability");
    } else {
      json.writeNumberField("probability", 1 - (double) threshold / Decision.LIMIT);
    }
  }

  /// Traces that a policy kept, their spans, and for how many traces they stand.
  private record OfPolicy(String policy, long traces, long spans, double standFor) {}

  /// What became of a tenant's spans.
  private record OfTenant(String tenant, long kept, long sampledOut, long overrun) {}

  private record Total(long decided, long kept) {}

  private HttpResponse sampling(Request request) {
    TimeRange range = request.exactRange("from", "to");
    Total total =
        queries
            .run(
                request,
                inRange(SqlQuery.of(TOTALS), range),
                row -> new Total(row.integer(0), row.integer(1)))
            .getFirst();
    List<OfPolicy> policies =
        queries.run(
            request,
            inRange(SqlQuery.of(POLICIES), range),
            row -> new OfPolicy(row.text(0), row.integer(1), row.integer(2), row.number(3)));
    List<OfTenant> tenants =
        queries.run(
            request,
            SqlQuery.of(TENANTS)
                .bind("from", range.fromNs() / NS_PER_SECOND)
                .bind("to", range.toNs() / NS_PER_SECOND),
            row -> new OfTenant(row.text(0), row.integer(1), row.integer(2), row.integer(3)));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeNumberField("decided", total.decided());
      json.writeNumberField("kept", total.kept());
      json.writeArrayFieldStart("policies");
      for (OfPolicy policy : policies) {
        json.writeStartObject();
        json.writeStringField("policy", policy.policy());
        json.writeNumberField("traces", policy.traces());
        json.writeNumberField("spans", policy.spans());
        json.writeNumberField("standFor", policy.standFor());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeArrayFieldStart("tenants");
      for (OfTenant tenant : tenants) {
        json.writeStartObject();
        json.writeStringField("tenant", tenant.tenant());
        json.writeNumberField("keptSpans", tenant.kept());
        json.writeNumberField("sampledOutSpans", tenant.sampledOut());
        json.writeNumberField("overrunSpans", tenant.overrun());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /// A batch is the second of its decision and a number below 1000.
  private static SqlQuery inRange(SqlQuery query, TimeRange range) {
    return query
        .bind("first", range.fromNs() / NS_PER_SECOND * 1_000)
        .bind("last", range.toNs() / NS_PER_SECOND * 1_000 + 999);
  }
}
