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
import java.io.IOException;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// `/api/headspan/v1/neighbours`: who waited for whom, over time.
public final class NeighboursApi {
  private static final double NS_PER_MS = 1e6;
  private static final long NS_PER_SECOND = 1_000_000_000;
  private static final int PAIRS = 100;

  /// How many points a series has if the caller does not say.
  private static final long POINTS = 60;

  private static final long MOST_POINTS = 2000;

  /// How often agents report.
  private static final long SHORTEST_STEP_SECONDS = 1;

  private static final String SQL =
      """
      SELECT victim, culprit, sum(wait) AS total, sum(count), groupArray(bucket), groupArray(wait) \
      FROM (SELECT victim, culprit, \
      intDiv(toUnixTimestamp64Nano(time)-1-{from:Int64},{step:Int64}) AS bucket, \
      sum(wait_ns) AS wait, sum(waits) AS count FROM interference_matrix \
      WHERE time>fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC') \
      AND ({victim:String}='' OR victim={victim:String}) \
      AND ({culprit:String}='' OR culprit={culprit:String}) \
      GROUP BY victim, culprit, bucket ORDER BY bucket) \
      GROUP BY victim, culprit HAVING total>0 ORDER BY total DESC, victim, culprit LIMIT {pairs:UInt32}\
      """;

  private record Pair(
      String victim, String culprit, long waitNs, long waits, long[] buckets, long[] waitsNs) {}

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
            SqlQuery.of(SQL)
                .bind("from", range.fromNs())
                .bind("to", range.toNs())
                .bind("step", stepNs)
                .bind("victim", request.parameter("victim").orElse(""))
                .bind("culprit", request.parameter("culprit").orElse(""))
                .bind("pairs", PAIRS),
            row ->
                new Pair(
                    row.text(0),
                    row.text(1),
                    row.integer(2),
                    row.integer(3),
                    row.integers(4),
                    row.integers(5)));
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
      totals(json, "victims", "lostMs", pairs, Pair::victim);
      totals(json, "culprits", "takenMs", pairs, Pair::culprit);
      json.writeEndObject();
    });
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

  private static void totals(
      JsonGenerator json, String list, String field, List<Pair> pairs, Function<Pair, String> who)
      throws IOException {
    Map<String, Long> totals = new HashMap<>();
    pairs.forEach(pair -> totals.merge(who.apply(pair), pair.waitNs(), Long::sum));
    json.writeArrayFieldStart(list);
    for (Map.Entry<String, Long> total :
        totals.entrySet().stream()
            .sorted(
                Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                    .thenComparing(Map.Entry.comparingByKey()))
            .toList()) {
      json.writeStartObject();
      json.writeStringField("tenant", total.getKey());
      json.writeNumberField(field, total.getValue() / NS_PER_MS);
      json.writeEndObject();
    }
    json.writeEndArray();
  }
}
