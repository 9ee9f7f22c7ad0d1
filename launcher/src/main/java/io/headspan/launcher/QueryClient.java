package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.InvalidProtocolBufferException;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpDecoder;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/// Asks the query API over HTTP, as Grafana does.
final class QueryClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT).build();
  private final String base;
  private final Optional<String> token;

  /// @param address `host:port` of the query API
  QueryClient(String address) {
    this(address, Optional.empty());
  }

  /// @param token to show, where the query API asks for one
  QueryClient(String address, Optional<String> token) {
    base = "http://" + address;
    this.token = token;
  }

  /// The stored spans of a trace; an empty batch if there are none.
  SpanBatch trace(String traceId) {
    HttpResponse<byte[]> response = get("/api/traces/" + traceId, "application/protobuf");
    if (response.statusCode() == 404) {
      return new SpanBatch.Builder().build();
    }
    require(response, "trace");
    try {
      // Tempo's Trace message, OTLP's TracesData and an export request have the same bytes.
      return OtlpDecoder.decode(ExportTraceServiceRequest.parseFrom(response.body()));
    } catch (InvalidProtocolBufferException e) {
      throw new LauncherException("the query API's answer is no trace: traceId=" + traceId, e);
    }
  }

  /// Latency percentiles by function, as our own endpoint gives them.
  JsonNode functions() {
    return json("/api/headspan/v1/functions");
  }

  /// The answer to a TraceQL search.
  JsonNode search(String query, int limit) {
    return json(
        "/api/search?limit=" + limit + "&q=" + URLEncoder.encode(query, StandardCharsets.UTF_8));
  }

  /// The JSON answer of one of the API's paths.
  ///
  /// @throws LauncherException with the API's own words if it refuses
  JsonNode json(String path) {
    HttpResponse<byte[]> response = get(path, "application/json");
    require(response, path);
    try {
      return JSON.readTree(response.body());
    } catch (IOException e) {
      throw new LauncherException("the query API's answer is no JSON: path=" + path, e);
    }
  }

  private HttpResponse<byte[]> get(String path, String accept) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(base + path)).timeout(TIMEOUT).header("Accept", accept);
    token.ifPresent(value -> request.header("Authorization", "Bearer " + value));
    try {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    } catch (IOException e) {
      throw new LauncherException("the query API did not answer: address=" + base, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LauncherException("interrupted while asking the query API", e);
    }
  }

  private static void require(HttpResponse<byte[]> response, String what) {
    if (response.statusCode() != 200) {
      throw new LauncherException(
          "the query API refused: what=%s, status=%d, answer=%s"
              .formatted(
                  what,
                  response.statusCode(),
                  new String(response.body(), StandardCharsets.UTF_8)));
    }
  }
}
