package io.headspan.query.explain;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.TimeRange;
import java.util.Optional;

/// `/api/headspan/v1/explain`: what the added latency of a function consists of.
public final class ExplainApi {
  private static final String VERSION_PREFIX = "version:";

  private final Queries queries;

  public ExplainApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/explain", threads.service(this::explain));
  }

  private HttpResponse explain(Request request) {
    String service =
        request
            .parameter("service")
            .orElseThrow(() -> RequestException.badRequest("parameter missing: service="));
    TimeRange range = request.exactRange("from", "to");
    Explanation explanation =
        new Explainer(new InvocationReader(queries, request))
            .explain(service, request.parameter("tenant"), range, baseline(request, range));
    return Json.response(json -> ExplainJson.write(explanation, json));
  }

  private static Baseline baseline(Request request, TimeRange range) {
    Optional<String> text = request.parameter("baseline").map(String::strip);
    if (text.isEmpty()) {
      long lengthNs = range.toNs() - range.fromNs();
      return new Baseline.Before(
          new TimeRange(Math.max(0, range.fromNs() - lengthNs), range.fromNs() - 1));
    }
    String given = text.get();
    if (given.startsWith(VERSION_PREFIX)) {
      return new Baseline.OfVersion(given.substring(VERSION_PREFIX.length()), range);
    }
    int slash = given.indexOf('/');
    return slash < 0
        ? new Baseline.OfVersion(given, range)
        : new Baseline.Chosen(
            Request.exactRange("baseline", given.substring(0, slash), given.substring(slash + 1)));
  }
}
