package io.headspan.systemtests;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/// A function that is instrumented with the OpenTelemetry SDK: a SERVER span for each request, an
/// INTERNAL one for its work, a CLIENT one for the call it makes. The answer says in `x-trace-id`
/// of which trace they are.
///
/// Arguments: tenant, function, the collector's `host:port`, and the URL to call, if any.
final class SdkService {
  private final Tracer tracer;
  private final @Nullable URI next;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private SdkService(Tracer tracer, @Nullable URI next) {
    this.tracer = tracer;
    this.next = next;
  }

  public static void main(String[] arguments) throws IOException {
    System.setProperty("sun.net.httpserver.nodelay", "true");
    Resource resource =
        Resource.create(
            Attributes.of(
                AttributeKey.stringKey("service.name"),
                arguments[1],
                AttributeKey.stringKey("headspan.tenant"),
                arguments[0]));
    OtlpHttpSpanExporter exporter =
        OtlpHttpSpanExporter.builder().setEndpoint("http://" + arguments[2] + "/v1/traces").build();
    SdkTracerProvider provider =
        SdkTracerProvider.builder()
            .setResource(resource)
            .addSpanProcessor(
                BatchSpanProcessor.builder(exporter)
                    .setScheduleDelay(Duration.ofMillis(200))
                    .build())
            .build();
    SdkService service =
        new SdkService(
            provider.get("service"), arguments.length > 3 ? URI.create(arguments[3]) : null);
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 1024);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", service::handle);
    server.start();
    System.out.println("ready on " + server.getAddress().getPort());
  }

  private void handle(HttpExchange exchange) throws IOException {
    Context parent =
        W3CTraceContextPropagator.getInstance()
            .extract(Context.root(), exchange.getRequestHeaders(), SdkService::header);
    Span span =
        tracer
            .spanBuilder("serve")
            .setParent(parent)
            .setSpanKind(SpanKind.SERVER)
            .setAttribute("app.secret", 42)
            .startSpan();
    try (exchange;
        Scope _ = span.makeCurrent()) {
      exchange.getRequestBody().readAllBytes();
      work();
      exchange.getResponseHeaders().set("x-trace-id", span.getSpanContext().getTraceId());
      exchange.sendResponseHeaders(200, -1);
    } finally {
      span.end();
    }
  }

  private static @Nullable String header(@Nullable Headers headers, String name) {
    return Objects.requireNonNull(headers).getFirst(name);
  }

  private void work() throws IOException {
    Span span = tracer.spanBuilder("work").startSpan();
    try (Scope _ = span.makeCurrent()) {
      if (next != null) {
        call(next);
      }
    } finally {
      span.end();
    }
  }

  private void call(URI next) throws IOException {
    Span span = tracer.spanBuilder("call").setSpanKind(SpanKind.CLIENT).startSpan();
    try (Scope _ = span.makeCurrent()) {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(next).POST(HttpRequest.BodyPublishers.noBody());
      W3CTraceContextPropagator.getInstance()
          .inject(
              Context.current(),
              request,
              (carrier, key, value) -> Objects.requireNonNull(carrier).header(key, value));
      client.send(request.build(), HttpResponse.BodyHandlers.discarding());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("call interrupted: next=" + next, e);
    } finally {
      span.end();
    }
  }
}
