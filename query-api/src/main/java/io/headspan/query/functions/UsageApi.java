package io.headspan.query.functions;

import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.LatencyRange;
import io.headspan.storage.Row;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// `/api/headspan/v1/usage?from&to`: what functions used, by day, tenant, team, function, version
/// and runtime, for bills. Counts every invocation once, sampled or not; whole minutes, days in
/// UTC.
public final class UsageApi {
  private static final double NS_PER_SECOND = 1e9;

  /// An instance is known by its resource; it counts for each minute in which it served something.
  private static final String INVOCATIONS =
      """
      SELECT %1$s, toString(day), tenant, service, version, runtime, sum(n), sum(failed), sum(took), \
      sum(ms), sum(ms_100), sum(cpu), sum(bytes), sum(running) FROM (\
      SELECT toStartOfHour(slot) AS hour, toDate(hour) AS day, tenant, service, version, runtime, \
      sum(invocations) AS n, sumIf(invocations,status=2) AS failed, sum(duration_sum) AS took, \
      sum(billed_ms) AS ms, sum(billed_100ms) AS ms_100, sum(cpu_ns) AS cpu, \
      sum(response_bytes) AS bytes, arraySum(mapValues(uniqMergeMapMerge(instances))) AS running \
      FROM %2$s GROUP BY hour, tenant, service, version, runtime) \
      GROUP BY day, tenant, service, version, runtime\
      """;

  private static final String OWNERS =
      """
      SELECT toString(day), tenant, service, version, runtime, max(team), \
      max(toUInt64OrZero(values[indexOf(keys,'faas.max_memory')])) FROM resources \
      WHERE day BETWEEN toDate(fromUnixTimestamp64Nano({from:Int64},'UTC')) \
      AND toDate(fromUnixTimestamp64Nano({to:Int64},'UTC')) \
      GROUP BY day, tenant, service, version, runtime\
      """;

  private static final String LOGS =
      """
      SELECT toString(toDate(time)) AS day, tenant, service, version, runtime, \
      sum(length(body)+arraySum(x->length(x),values)) FROM logs \
      WHERE time>=fromUnixTimestamp64Nano({from:Int64},'UTC') \
      AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC') \
      GROUP BY day, tenant, service, version, runtime\
      """;

  /// Whose usage it is.
  private record Function(String day, String tenant, String service, String version, String runtime)
      implements Comparable<Function> {
    private static final Comparator<Function> ORDER =
        Comparator.comparing(Function::day)
            .thenComparing(Function::tenant)
            .thenComparing(Function::service)
            .thenComparing(Function::version)
            .thenComparing(Function::runtime);

    @Override
    public int compareTo(Function other) {
      return ORDER.compare(this, other);
    }
  }

  private record Owner(String team, long memoryBytes) {}

  /// @param durationNs of all invocations together
  /// @param billedMs the same with each duration rounded up to whole milliseconds
  /// @param billed100Ms likewise, to whole tenths of a second, in ms
  /// @param instanceMinutes minutes in which an instance served something, of all instances
  private record Work(
      long invocations,
      long errors,
      long durationNs,
      long billedMs,
      long billed100Ms,
      long cpuNs,
      long responseBytes,
      long instanceMinutes) {
    private static final Work NONE = new Work(0, 0, 0, 0, 0, 0, 0, 0);
  }

  private record Worked(long unsure, Function function, Work work) implements LatencyRange.Counted {
    static Worked of(Row row) {
      return new Worked(
          row.integer(0),
          UsageApi.function(row, 1),
          new Work(
              row.integer(6),
              row.integer(7),
              row.integer(8),
              row.integer(9),
              row.integer(10),
              row.integer(11),
              row.integer(12),
              row.integer(13)));
    }

    @Override
    public String tenant() {
      return function.tenant();
    }

    @Override
    public String service() {
      return function.service();
    }

    @Override
    public String runtime() {
      return function.runtime();
    }
  }

  private record OfFunction<T>(Function function, T value) {}

  private final Queries queries;

  public UsageApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/usage", threads.service(this::usage));
  }

  private HttpResponse usage(Request request) {
    TimeRange range = request.exactRange("from", "to");
    Map<Function, Work> work = new TreeMap<>();
    for (Worked row :
        LatencyRange.of(range.fromNs(), range.toNs())
            .once(INVOCATIONS, query -> queries.run(request, query, Worked::of))) {
      work.put(row.function(), row.work());
    }
    Map<Function, Long> logBytes = new HashMap<>();
    List<OfFunction<Long>> logs =
        queries.run(
            request, bound(LOGS, range), row -> new OfFunction<>(function(row, 0), row.integer(5)));
    for (OfFunction<Long> row : logs) {
      logBytes.put(row.function(), row.value());
      work.putIfAbsent(row.function(), Work.NONE);
    }
    Map<Function, Owner> owners = new HashMap<>();
    List<OfFunction<Owner>> resources =
        queries.run(
            request,
            bound(OWNERS, range),
            row -> new OfFunction<>(function(row, 0), new Owner(row.text(5), row.integer(6))));
    for (OfFunction<Owner> row : resources) {
      owners.put(row.function(), row.value());
    }
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("usage");
      for (Map.Entry<Function, Work> each : work.entrySet()) {
        write(
            json,
            each.getKey(),
            owners.getOrDefault(each.getKey(), new Owner("", 0)),
            each.getValue(),
            logBytes.getOrDefault(each.getKey(), 0L));
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  private static SqlQuery bound(String sql, TimeRange range) {
    return SqlQuery.of(sql).bind("from", range.fromNs()).bind("to", range.toNs());
  }

  /// @param first the column of the day; the others follow it
  private static Function function(Row row, int first) {
    return new Function(
        row.text(first),
        row.text(first + 1),
        row.text(first + 2),
        row.text(first + 3),
        row.text(first + 4));
  }

  private static void write(
      JsonGenerator json, Function function, Owner owner, Work work, long logBytes)
      throws IOException {
    json.writeStartObject();
    json.writeStringField("day", function.day());
    json.writeStringField("tenant", function.tenant());
    json.writeStringField("team", owner.team());
    json.writeStringField("service", function.service());
    json.writeStringField("version", function.version());
    json.writeStringField("runtime", function.runtime());
    json.writeNumberField("memoryBytes", owner.memoryBytes());
    json.writeNumberField("invocations", work.invocations());
    json.writeNumberField("errors", work.errors());
    json.writeNumberField("durationSeconds", work.durationNs() / NS_PER_SECOND);
    json.writeNumberField("billedMs", work.billedMs());
    json.writeNumberField("billed100Ms", work.billed100Ms());
    json.writeNumberField("cpuSeconds", work.cpuNs() / NS_PER_SECOND);
    json.writeNumberField("responseBytes", work.responseBytes());
    json.writeNumberField("instanceMinutes", work.instanceMinutes());
    json.writeNumberField("logBytes", logBytes);
    json.writeEndObject();
  }
}
