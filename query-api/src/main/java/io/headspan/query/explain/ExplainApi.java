package io.headspan.query.explain;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.http.Request;

/// `/api/headspan/v1/explain`: what the added latency of a function consists of.
public final class ExplainApi {
  private final Queries queries;

  public ExplainApi(Queries queries) {
    this.queries = queries;
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server.service("/api/headspan/v1/explain", threads.service(this::explain));
  }

  private HttpResponse explain(Request request) {
    Explanation explanation =
        new Explainer(new InvocationReader(queries, request))
            .explain(ComparisonRequest.of(request));
    return Json.response(json -> ExplainJson.write(explanation, json));
  }
}
