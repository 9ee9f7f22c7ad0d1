package io.headspan.query.functions;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.traceql.TimeRange;
import io.headspan.storage.LatencyRange;
import io.headspan.storage.Row;
import java.util.List;

/// `/api/headspan/v1/functions?start&end`: invocations, errors and latency percentiles by tenant,
/// function, version and runtime. Counts every invocation, sampled or not; whole minutes,
/// percentiles within 1 %. An invocation that both an agent and a function's own SDK tell of counts
/// once.
public final class FunctionsApi {
  private static final int QUANTILES = 3;
  private static final double NS_PER_MS = 1e6;
  private static final String SQL =
      """
      SELECT %1$s, tenant, service, version, runtime, sum(invocations) AS total, \
      sumIf(invocations,status=2), quantilesDDMerge(0.01,0.5,0.95,0.99)(latency) \
      FROM %2$s GROUP BY tenant, service, version, runtime \
      ORDER BY tenant, service, version, runtime\
      """;

  private record FunctionRow(
      long unsure,
      String tenant,
      String service,
      String version,
      String runtime,
      long count,
      long errors,
      double[] quantilesNs)
      implements LatencyRange.Counted {
    static FunctionRow of(Row row) {
      return new FunctionRow(
          row.integer(0),
          row.text(1),
          row.text(2),
          row.text(3),
          row.text(4),
          row.integer(5),
          row.integer(6),
          row.numbers(7));
    }
  }

  private final Queries queries;

  public FunctionsApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/functions", threads.service(this::functions));
  }

  private HttpResponse functions(Request request) {
    TimeRange range = request.timeRange();
    List<FunctionRow> rows =
        LatencyRange.of(range.fromNs(), range.toNs())
            .once(SQL, query -> queries.run(request, query, FunctionRow::of));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("functions");
      for (FunctionRow row : rows) {
        if (row.quantilesNs().length != QUANTILES) {
          throw new IllegalStateException("quantiles=" + row.quantilesNs().length);
        }
        json.writeStartObject();
        json.writeStringField("tenant", row.tenant());
        json.writeStringField("service", row.service());
        json.writeStringField("version", row.version());
        json.writeStringField("runtime", row.runtime());
        json.writeNumberField("count", row.count());
        json.writeNumberField("errors", row.errors());
        json.writeNumberField("p50Ms", row.quantilesNs()[0] / NS_PER_MS);
        json.writeNumberField("p95Ms", row.quantilesNs()[1] / NS_PER_MS);
        json.writeNumberField("p99Ms", row.quantilesNs()[2] / NS_PER_MS);
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }
}
