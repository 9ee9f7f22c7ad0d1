package io.headspan.launcher;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.otlp.OtlpEncoder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;

/// The demo's own CLIENT spans, the roots of its traces, sent to the collector by OTLP/HTTP as any
/// instrumented program sends its spans.
final class OwnSpans {
  static final String SERVICE = "headspan-demo";
  private static final byte KIND_CLIENT = 3;

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final URI endpoint;

  /// @param collector `host:port`
  OwnSpans(String collector) {
    endpoint = URI.create("http://" + collector + "/v1/traces");
  }

  /// Sends one span for each trace; returns when the collector has stored them.
  void send(List<SentTrace> traces) {
    if (traces.isEmpty()) {
      return;
    }
    HttpRequest request =
        HttpRequest.newBuilder(endpoint)
            .timeout(Duration.ofSeconds(20))
            .header("Content-Type", "application/x-protobuf")
            .POST(
                HttpRequest.BodyPublishers.ofByteArray(
                    OtlpEncoder.encode(batch(traces)).toByteArray()))
            .build();
    try {
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new LauncherException(
            "the collector refused the demo's own spans: status=%d, answer=%s"
                .formatted(response.statusCode(), response.body()));
      }
    } catch (IOException e) {
      throw new LauncherException("the collector did not answer: endpoint=" + endpoint, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LauncherException("interrupted while sending the demo's own spans", e);
    }
  }

  private static SpanBatch batch(List<SentTrace> traces) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(resource, table.intern("service.name"), AttributeType.STRING, table.intern(SERVICE));
    int scope = builder.addScope(resource);
    builder.scopeName(scope, table.intern("io.headspan.launcher.demo"));
    for (SentTrace trace : traces) {
      int span = builder.addSpan(scope);
      builder.traceIdHigh(span, trace.context().traceIdHigh());
      builder.traceIdLow(span, trace.context().traceIdLow());
      builder.spanId(span, trace.context().spanId());
      builder.startNs(span, trace.startNs());
      builder.durationNs(span, trace.durationNs());
      builder.kind(span, KIND_CLIENT);
      builder.name(span, table.intern(trace.route()));
      Attributes.Builder attributes = builder.spanAttributes();
      attributes.add(
          span, table.intern("http.response.status_code"), AttributeType.INT, trace.status());
    }
    return builder.build();
  }
}
