package io.headspan.query;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.metric.MeterIdPrefixFunction;
import com.linecorp.armeria.common.util.Exceptions;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.metric.MetricCollectingService;
import io.headspan.query.access.Access;
import io.headspan.query.explain.CompareApi;
import io.headspan.query.explain.CriticalPathApi;
import io.headspan.query.explain.ExplainApi;
import io.headspan.query.explain.NeighboursApi;
import io.headspan.query.explain.ServiceGraphApi;
import io.headspan.query.functions.FunctionsApi;
import io.headspan.query.functions.UsageApi;
import io.headspan.query.http.Queries;
import io.headspan.query.http.QueryThreads;
import io.headspan.query.jaeger.JaegerApi;
import io.headspan.query.ledger.LedgerApi;
import io.headspan.query.logs.LogsApi;
import io.headspan.query.page.Page;
import io.headspan.query.sampling.SamplingApi;
import io.headspan.query.tempo.TempoApi;
import io.headspan.storage.SpanStore;
import io.headspan.wire.http.AcceptLoop;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A running query API: the web page, Tempo's HTTP API, Jaeger's, our own, `/ready` and `/metrics`
/// on one port. It runs whether or not the store does, and answers 503 with the reason while the
/// store is away.
public final class QueryApi implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(QueryApi.class);

  /// The longest query, every character percent-encoded in three bytes, and room for the rest.
  private static final int REQUEST_LINE_BYTES = 1024 * 1024;

  private static final int REQUEST_BYTES = 64 * 1024;
  private static final Duration AFTER_QUERY = Duration.ofSeconds(5);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(2);
  private static final MediaType METRICS =
      MediaType.parse("text/plain; version=0.0.4; charset=utf-8");

  private final QueryConfig config;
  private final PrometheusMeterRegistry registry;
  private final SpanStore store;
  private final Access access;
  private final QueryThreads threads;
  private final Server server;

  /// Starts a query API. It accepts connections when this returns; the store may come later.
  ///
  /// @throws QueryException of kind LISTEN if the port cannot be had
  public static QueryApi start(QueryConfig config) {
    QueryApi api = new QueryApi(config);
    try {
      api.server.start().join();
    } catch (CompletionException e) {
      api.close();
      Throwable reason = Exceptions.peel(e);
      throw new QueryException(
          QueryException.Kind.LISTEN,
          "the query API cannot listen: address="
              + config.host()
              + ":"
              + config.port()
              + ", reason="
              + reason.getMessage()
              + "; stop what uses the port, or set another address with --listen or "
              + QueryConfig.LISTEN,
          reason);
    }
    logger.info(
        "query API listens: address={}:{}, store={}", config.host(), api.port(), config.store());
    return api;
  }

  private QueryApi(QueryConfig config) {
    this.config = config;
    registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    access = access(config);
    store = SpanStore.connect(config.store());
    threads = new QueryThreads(config.threads(), config.waiting(), Clock.systemUTC());
    ServerBuilder builder =
        Server.builder()
            .http(new InetSocketAddress(config.host(), config.port()))
            .meterRegistry(registry)
            .requestTimeout(config.limits().timeout().plus(AFTER_QUERY))
            .errorHandler(QueryThreads::timedOut)
            .maxRequestLength(REQUEST_BYTES)
            .http1MaxInitialLineLength(REQUEST_LINE_BYTES)
            .http2MaxHeaderListSize(REQUEST_LINE_BYTES)
            .bossGroupFactory(AcceptLoop::start)
            .gracefulShutdownTimeout(Duration.ZERO, STOP_TIMEOUT);
    configureServices(builder);
    server = builder.build();
  }

  private static Access access(QueryConfig config) {
    try {
      return Access.of(
          config.access(),
          message -> new QueryException(QueryException.Kind.CONFIGURATION, message));
    } catch (IOException e) {
      throw new QueryException(
          QueryException.Kind.CONFIGURATION,
          "the audit log cannot be opened: reason=" + e.getMessage(),
          e);
    }
  }

  /// The routes, and nothing else of the server.
  private void configureServices(ServerBuilder builder) {
    Queries queries = new Queries(store, config.limits(), access.pseudonyms());
    new TempoApi(queries).addTo(builder, threads);
    new JaegerApi(queries).addTo(builder, threads);
    new FunctionsApi(queries).addTo(builder, threads);
    new UsageApi(queries).addTo(builder, threads);
    new ExplainApi(queries).addTo(builder, threads);
    new CompareApi(queries).addTo(builder, threads);
    new CriticalPathApi(queries).addTo(builder, threads);
    new NeighboursApi(queries).addTo(builder, threads);
    new ServiceGraphApi(queries).addTo(builder, threads);
    new LogsApi(queries).addTo(builder, threads);
    new SamplingApi(queries).addTo(builder, threads);
    new LedgerApi(queries).addTo(builder, threads);
    Page.addTo(builder);
    builder
        .service("/ready", threads.service(_ -> ready()))
        .service(
            "/metrics",
            (_, _) -> HttpResponse.of(HttpStatus.OK, METRICS, HttpData.ofUtf8(registry.scrape())))
        // The page says nothing of what is stored; it asks whoever reads it for a token.
        .decorator((next, context, request) ->
            Page.isFile(context.path())
                ? next.serve(context, request)
                : access.decorate(next, context, request))
        .decorator(
            MetricCollectingService.newDecorator(
                MeterIdPrefixFunction.ofDefault("headspan.query.http")));
  }

  private HttpResponse ready() {
    return store.isReady()
        ? HttpResponse.of(HttpStatus.OK, MediaType.PLAIN_TEXT_UTF_8, "ready\n")
        : HttpResponse.of(
            HttpStatus.SERVICE_UNAVAILABLE,
            MediaType.PLAIN_TEXT_UTF_8,
            "store not ready: address=" + config.store() + "\n");
  }

  /// The paths that it answers, as patterns.
  List<String> routes() {
    return server.serviceConfigs().stream()
        .map(service -> service.route().patternString())
        .distinct()
        .sorted()
        .toList();
  }

  /// The port it listens on.
  public int port() {
    return server.activeLocalPort();
  }

  /// Answers no more requests, ends the queries under way, and stops.
  @Override
  public void close() {
    threads.close();
    server.close();
    store.close();
    access.close();
    registry.close();
  }
}
