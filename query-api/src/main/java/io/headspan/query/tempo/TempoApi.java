package io.headspan.query.tempo;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.grpc.GrpcService;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;

/// The routes of Tempo's HTTP API, and its gRPC service on the same port.
public final class TempoApi {
  /// Grafana switches features on by Tempo's version; this is the one whose answers ours are
  /// compared with.
  private static final String TEMPO_VERSION = "3.0.3";

  private final TraceById traceById;
  private final Search search;
  private final Tags tags;
  private final Metrics metrics;

  public TempoApi(Queries queries) {
    traceById = new TraceById(queries);
    search = new Search(queries);
    tags = new Tags(queries);
    metrics = new Metrics(queries);
  }

  public void addTo(ServerBuilder server, QueryThreads threads) {
    server
        .service(
            "/api/echo",
            (_, _) -> HttpResponse.of(HttpStatus.OK, MediaType.PLAIN_TEXT_UTF_8, "echo"))
        .service("/api/status/buildinfo", (_, _) -> buildInfo())
        .service("/api/traces/{id}", threads.service(traceById::v1))
        .service("/api/v2/traces/{id}", threads.service(traceById::v2))
        .service("/api/search", threads.service(search::search))
        .service("/api/metrics/query_range", threads.service(metrics::range))
        .service("/api/metrics/query", threads.service(metrics::instant))
        .service("/api/search/tags", threads.service(tags::namesV1))
        .service("/api/v2/search/tags", threads.service(tags::namesV2))
        .service("/api/search/tag/{tag}/values", threads.service(tags::valuesV1))
        .service("/api/v2/search/tag/{tag}/values", threads.service(tags::valuesV2))
        .service(
            GrpcService.builder()
                .addService(new StreamingQuerier(search, metrics, tags, threads))
                .build());
  }

  private static HttpResponse buildInfo() {
    return Json.response(json -> {
      json.writeStartObject();
      json.writeStringField("version", TEMPO_VERSION);
      json.writeStringField("revision", "headspan");
      json.writeStringField("branch", "");
      json.writeStringField("buildDate", "");
      json.writeStringField("buildUser", "");
      json.writeStringField("goVersion", "");
      json.writeEndObject();
    });
  }
}
