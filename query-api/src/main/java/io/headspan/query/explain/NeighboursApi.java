package io.headspan.query.explain;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.signal.NodeSignal;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/// `/api/headspan/v1/neighbours`: who waited for whom, over time.
public final class NeighboursApi {
  private static final double NS_PER_MS = 1e6;
  private static final long NS_PER_SECOND = 1_000_000_000;
  private static final int MOST_PAIRS = 100;
  private static final int MOST_TENANTS = 1000;

  /// How many points a series has if the caller does not say.
  private static final long POINTS = 60;

  private static final long MOST_POINTS = 2000;

  /// How often agents report.
  private static final long SHORTEST_STEP_SECONDS = 1;

  /// Own load and an idle CPU are nobody else's doing. For tenants, names of culprits are
  /// pseudonyms by now, but for their own and those in braces.
  private static final String TAKEN = "culprit!=victim AND culprit!={idle:String}";

  private static final String WHERE =
      """
      FROM interference_matrix \
      WHERE time>fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC') \
      AND ({victim:String}='' OR victim={victim:String}) \
      AND ({culprit:String}='' OR culprit={culprit:String})\
      """;

  private static final String PAIRS_SQL =
      """
      SELECT victim, culprit, sum(wait) AS total, sum(count), groupArray(bucket), groupArray(wait) \
      FROM (SELECT victim, culprit, \
      intDiv(toUnixTimestamp64Nano(time)-1-{from:Int64},{step:Int64}) AS bucket, \
      sum(wait_ns) AS wait, sum(waits) AS count %s AND %s \
      GROUP BY victim, culprit, bucket ORDER BY bucket) \
      GROUP BY victim, culprit HAVING total>0 ORDER BY total DESC, victim, culprit LIMIT {most:UInt32}\
      """
          .formatted(WHERE, TAKEN);

  private static final String VICTIMS_SQL =
      """
      SELECT victim, sumIf(wait_ns,%s) AS lost, sumIf(wait_ns,culprit=victim) AS own, \
      sumIf(wait_ns,culprit={idle:String} AND culprit!=victim) AS idle %s \
      GROUP BY victim HAVING lost+own+idle>0 ORDER BY lost DESC, own+idle DESC, victim LIMIT {most:UInt32}\
      """
          .formatted(TAKEN, WHERE);

  private static final String CULPRITS_SQL =
      """
      SELECT culprit, sum(wait_ns) AS taken %s AND %s \
      GROUP BY culprit HAVING taken>0 ORDER BY taken DESC, culprit LIMIT {most:UInt32}\
      """
          .formatted(WHERE, TAKEN);

  private record Pair(
      String victim, String culprit, long waitNs, long waits, long[] buckets, long[] waitsNs) {}

  private record Victim(String tenant, long lostNs, long ownNs, long idleNs) {}

  private record Culprit(String tenant, long takenNs) {}

  private final Queries queries;

  public NeighboursApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/neighbours", threads.service(this::neighbours));
  }

  private HttpResponse neighbours(Request request) {
    TimeRange range = request.exactRange("from", "to");
    long stepNs = request.step("step").map(Duration::toNanos).orElseGet(() -> usualStepNs(range));
    if ((range.toNs() - range.fromNs()) / stepNs > MOST_POINTS) {
      throw RequestException.badRequest(
          "step too short for the range: points="
              + (range.toNs() - range.fromNs()) / stepNs
              + ", most="
              + MOST_POINTS);
    }
    List<Pair> pairs =
        queries.run(
            request,
            bound(PAIRS_SQL, request, range, MOST_PAIRS).bind("step", stepNs),
            row ->
                new Pair(
                    row.text(0),
                    row.text(1),
                    row.integer(2),
                    row.integer(3),
                    row.integers(4),
                    row.integers(5)));
    List<Victim> victims =
        queries.run(
            request,
            bound(VICTIMS_SQL, request, range, MOST_TENANTS),
            row -> new Victim(row.text(0), row.integer(1), row.integer(2), row.integer(3)));
    List<Culprit> culprits =
        queries.run(
            request,
            bound(CULPRITS_SQL, request, range, MOST_TENANTS),
            row -> new Culprit(row.text(0), row.integer(1)));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeStringField("from", ExplainJson.time(range.fromNs()));
      json.writeStringField("to", ExplainJson.time(range.toNs()));
      json.writeNumberField("stepMs", stepNs / NS_PER_MS);
      json.writeArrayFieldStart("pairs");
      for (Pair pair : pairs) {
        pair(json, pair, range.fromNs(), stepNs);
      }
      json.writeEndArray();
      victims(json, victims);
      culprits(json, culprits);
      apart(json, victims);
      json.writeEndObject();
    });
  }

  private static SqlQuery bound(String sql, Request request, TimeRange range, int most) {
    return SqlQuery.of(sql)
        .bind("from", range.fromNs())
        .bind("to", range.toNs())
        .bind("victim", request.parameter("victim").orElse(""))
        .bind("culprit", request.parameter("culprit").orElse(""))
        .bind("idle", NodeSignal.Interference.IDLE)
        .bind("most", most);
  }

  private static long usualStepNs(TimeRange range) {
    long seconds = (range.toNs() - range.fromNs()) / POINTS / NS_PER_SECOND;
    return Math.max(SHORTEST_STEP_SECONDS, seconds) * NS_PER_SECOND;
  }

  private static void pair(JsonGenerator json, Pair pair, long fromNs, long stepNs)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("victim", pair.victim());
    json.writeStringField("culprit", pair.culprit());
    json.writeNumberField("waitMs", pair.waitNs() / NS_PER_MS);
    json.writeNumberField("waits", pair.waits());
    json.writeArrayFieldStart("series");
    for (int i = 0; i < pair.buckets().length; i++) {
      json.writeStartObject();
      json.writeStringField("time", ExplainJson.time(fromNs + pair.buckets()[i] * stepNs));
      json.writeNumberField("waitMs", pair.waitsNs()[i] / NS_PER_MS);
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void victims(JsonGenerator json, List<Victim> victims) throws IOException {
    json.writeArrayFieldStart("victims");
    for (Victim victim : victims) {
      if (victim.lostNs() > 0) {
        json.writeStartObject();
        json.writeStringField("tenant", victim.tenant());
        json.writeNumberField("lostMs", victim.lostNs() / NS_PER_MS);
        json.writeEndObject();
      }
    }
    json.writeEndArray();
  }

  private static void culprits(JsonGenerator json, List<Culprit> culprits) throws IOException {
    json.writeArrayFieldStart("culprits");
    for (Culprit culprit : culprits) {
      json.writeStartObject();
      json.writeStringField("tenant", culprit.tenant());
      json.writeNumberField("takenMs", culprit.takenNs() / NS_PER_MS);
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static void apart(JsonGenerator json, List<Victim> victims) throws IOException {
    json.writeArrayFieldStart("apart");
    for (Victim victim : victims) {
      if (victim.ownNs() + victim.idleNs() > 0) {
        json.writeStartObject();
        json.writeStringField("tenant", victim.tenant());
        json.writeNumberField("ownMs", victim.ownNs() / NS_PER_MS);
        json.writeNumberField("idleMs", victim.idleNs() / NS_PER_MS);
        json.writeEndObject();
      }
    }
    json.writeEndArray();
  }
}
