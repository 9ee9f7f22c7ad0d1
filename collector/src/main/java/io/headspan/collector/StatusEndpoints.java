package io.headspan.collector;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import com.linecorp.armeria.server.ServerBuilder;
import io.headspan.collector.edge.Credentials;
import io.headspan.collector.edge.Senders;
import io.headspan.collector.edge.Verdict;
import io.headspan.wire.access.Authorization;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// `/live`, `/ready` and `/metrics`. Ready means that a batch sent now would be stored: the store
/// answers and has the schema, and the collector is not closing; with several regions, the store of
/// one of them, so that one which is away does not take the others' collector from its balancer.
/// The metrics are of all tenants, so where tokens are in use they are for operators.
final class StatusEndpoints {
  private static final String TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

  private final List<RegionStore> stores;
  private final PrometheusMeterRegistry registry;
  private final Senders senders;
  private final AtomicBoolean closing = new AtomicBoolean();

  StatusEndpoints(List<RegionStore> stores, PrometheusMeterRegistry registry, Senders senders) {
    this.senders = senders;
    this.stores = List.copyOf(stores);
    this.registry = registry;
  }

  void addTo(ServerBuilder server) {
    server.service("/live", (context, request) -> text(HttpStatus.OK, "live"));
    server.service("/ready", (context, request) -> ready());
    server
        .route()
        .get("/metrics")
        .build((context, request) ->
            senders
                .whyNotOperator(Credentials.of(context))
                .map(StatusEndpoints::refusal)
                .orElseGet(() ->
                    HttpResponse.of(
                        () -> metrics(request.headers()), context.blockingTaskExecutor())));
  }

  /// Not ready from now on.
  void close() {
    closing.set(true);
  }

  private HttpResponse ready() {
    if (closing.get()) {
      return text(HttpStatus.SERVICE_UNAVAILABLE, "the collector is closing");
    }
    List<String> reasons =
        stores.stream().map(RegionStore::notReadyReason).flatMap(Optional::stream).toList();
    if (reasons.size() == stores.size()) {
      return text(HttpStatus.SERVICE_UNAVAILABLE, String.join("; ", reasons));
    }
    return text(
        HttpStatus.OK,
        reasons.isEmpty() ? "ready" : "ready, but for " + String.join("; ", reasons));
  }

  private HttpResponse metrics(RequestHeaders headers) {
    String accepted = headers.get(HttpHeaderNames.ACCEPT, "");
    boolean openMetrics = accepted.contains("application/openmetrics-text");
    String format =
        openMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : TEXT_FORMAT;
    return HttpResponse.of(
        HttpStatus.OK, MediaType.parse(format), HttpData.ofUtf8(registry.scrape(format)));
  }

  private static HttpResponse refusal(Verdict.Refused refused) {
    ResponseHeadersBuilder headers =
        switch (refused.reason()) {
          case UNAUTHENTICATED ->
              ResponseHeaders.builder(HttpStatus.UNAUTHORIZED)
                  .set(HttpHeaderNames.WWW_AUTHENTICATE, Authorization.CHALLENGE);
          case FORBIDDEN -> ResponseHeaders.builder(HttpStatus.FORBIDDEN);
        };
    return HttpResponse.of(
        headers.contentType(MediaType.PLAIN_TEXT_UTF_8).build(),
        HttpData.ofUtf8(refused.why() + "\n"));
  }

  private static HttpResponse text(HttpStatus status, String text) {
    return HttpResponse.of(status, MediaType.PLAIN_TEXT_UTF_8, text + "\n");
  }
}
