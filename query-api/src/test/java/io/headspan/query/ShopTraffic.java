package io.headspan.query;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Traffic as an agent reports it, the same for the same seed: a shop of five functions that call
/// each other, a neighbour who reports, and one who transcodes and takes the processor from the
/// others in a part of the time. Times add up: of a server's span, queue, own processor time,
/// stolen, throttled and blocked time are what it lasted, and blocked time is what its calls took.
public final class ShopTraffic {
  private static final long NS_PER_MINUTE = 60_000_000_000L;
  private static final long NS_PER_MS = 1_000_000L;

  /// Minutes, counted from the first, in which the neighbour is noisy.
  public static final int NOISY_FROM = 12;

  public static final int NOISY_UNTIL = 16;

  private record Function(String tenant, String name, String runtime, String node, long workNs) {}

  private static final Function GATEWAY =
      new Function("shop", "gateway", "container", "node-1", 2 * NS_PER_MS);
  private static final Function CATALOG =
      new Function("shop", "catalog", "container", "node-1", 4 * NS_PER_MS);
  private static final Function CART =
      new Function("shop", "cart", "container", "node-2", 3 * NS_PER_MS);
  private static final Function PRICE =
      new Function("shop", "price", "wasm", "node-1", 1 * NS_PER_MS);
  private static final Function PAYMENTS =
      new Function("shop", "payments", "microvm", "node-2", 9 * NS_PER_MS);
  private static final Function REPORT =
      new Function("acme", "report", "container", "node-2", 40 * NS_PER_MS);
  private static final Function TRANSCODE =
      new Function("media", "transcode", "container", "node-1", 220 * NS_PER_MS);

  private final Random random;
  private final long startNs;
  private final int minutes;
  private final int tracesPerMinute;
  private boolean noisy;
  private ExportTraceServiceRequest.Builder request = ExportTraceServiceRequest.newBuilder();

  /// Traffic of `minutes` from `startNs` on.
  public ShopTraffic(long seed, long startNs, int minutes, int tracesPerMinute) {
    this.random = new Random(seed);
    this.startNs = startNs;
    this.minutes = minutes;
    this.tracesPerMinute = tracesPerMinute;
  }

  /// A request per minute.
  public List<ExportTraceServiceRequest> requests() {
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    for (int minute = 0; minute < minutes; minute++) {
      noisy = minute >= NOISY_FROM && minute < NOISY_UNTIL;
      request = ExportTraceServiceRequest.newBuilder();
      for (int i = 0; i < tracesPerMinute; i++) {
        trace(startNs + minute * NS_PER_MINUTE + random.nextLong(NS_PER_MINUTE));
      }
      requests.add(request.build());
    }
    return requests;
  }

  private void trace(long atNs) {
    Trace trace = new Trace(id(16));
    switch (random.nextInt(10)) {
      case 0, 1 -> trace.serve(REPORT, ByteString.EMPTY, "GET", "/reports/{id}", atNs);
      case 2 -> trace.serve(TRANSCODE, ByteString.EMPTY, "POST", "/videos", atNs);
      case 3, 4, 5 -> trace.serve(GATEWAY, ByteString.EMPTY, "POST", "/orders", atNs);
      default -> trace.serve(GATEWAY, ByteString.EMPTY, "GET", "/items/{id}", atNs);
    }
  }

  private ByteString id(int bytes) {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      buffer.putLong(random.nextLong() | 1);
    }
    return ByteString.copyFrom(buffer.flip());
  }

  /// Spans of one trace on their way into the request.
  private final class Trace {
    private final ByteString traceId;

    Trace(ByteString traceId) {
      this.traceId = traceId;
    }

    /// Adds an invocation and what it calls, and returns when it ended.
    long serve(Function function, ByteString parent, String method, String route, long atNs) {
      ByteString spanId = id(8);
      boolean cold = random.nextInt(90) == 0;
      long queueNs = exponential(200_000) + (cold ? 180 * NS_PER_MS : 0);
      long cpuNs = function.workNs / 2 + exponential(function.workNs / 2);
      boolean robbed = noisy && function.node.equals("node-1") && !function.equals(TRANSCODE);
      long stolenNs =
          robbed ? exponential(60 * NS_PER_MS) : Math.max(0, random.nextInt(100_000) - 50_000);
      long throttledNs = random.nextInt(12) == 0 ? exponential(5 * NS_PER_MS) : 0;
      long at = atNs + queueNs + cpuNs / 2 + stolenNs;
      long callsFrom = at;
      boolean failed = false;
      for (Function callee : callees(function, method)) {
        failed |= random.nextInt(60) == 0;
        at = call(function, callee, spanId, at, failed);
      }
      long blockedNs = at - callsFrom;
      long endNs = at + cpuNs - cpuNs / 2 + throttledNs;
      Span.Builder span =
          Span.newBuilder()
              .setTraceId(traceId)
              .setSpanId(spanId)
              .setParentSpanId(parent)
              .setName(method + " " + route)
              .setKind(Span.SpanKind.SPAN_KIND_SERVER)
              .setStartTimeUnixNano(atNs)
              .setEndTimeUnixNano(endNs)
              .addAttributes(text("http.request.method", method))
              .addAttributes(text("http.route", route))
              .addAttributes(text("url.path", route.replace("{id}", "42")))
              .addAttributes(number("http.response.status_code", failed ? 502 : 200))
              .addAttributes(number("headspan.queue_ns", queueNs))
              .addAttributes(number("headspan.cpu_ns", cpuNs))
              .addAttributes(number("headspan.stolen_ns", stolenNs))
              .addAttributes(number("headspan.throttled_ns", throttledNs))
              .addAttributes(number("headspan.blocked_ns", blockedNs))
              .addAttributes(text("headspan.scope", "thread"));
      if (stolenNs > 0) {
        span.addAttributes(text("headspan.culprit", robbed ? "media" : culprit(function)));
      }
      if (cold) {
        span.addAttributes(
            KeyValue.newBuilder()
                .setKey("faas.coldstart")
                .setValue(AnyValue.newBuilder().setBoolValue(true)));
        span.addAttributes(number("headspan.coldstart_ns", queueNs));
      }
      if (failed) {
        span.setStatus(Status.newBuilder().setCode(Status.StatusCode.STATUS_CODE_ERROR))
            .addAttributes(text("error.type", "502"));
      }
      add(function, span.build());
      return endNs;
    }

    /// Adds a call with the invocation it leads to, and returns when it ended.
    private long call(
        Function caller, Function callee, ByteString parent, long atNs, boolean failed) {
      ByteString spanId = id(8);
      long wireNs = 50_000L + random.nextInt(200_000);
      String route = "/" + callee.name + "/{id}";
      long endNs = serve(callee, spanId, "GET", route, atNs + wireNs) + wireNs;
      Span.Builder span =
          Span.newBuilder()
              .setTraceId(traceId)
              .setSpanId(spanId)
              .setParentSpanId(parent)
              .setName("GET " + route)
              .setKind(Span.SpanKind.SPAN_KIND_CLIENT)
              .setStartTimeUnixNano(atNs)
              .setEndTimeUnixNano(endNs)
              .addAttributes(text("http.request.method", "GET"))
              .addAttributes(text("url.template", route))
              .addAttributes(text("server.address", "10.0.0." + callee.name.length()))
              .addAttributes(number("server.port", 8080))
              .addAttributes(number("http.response.status_code", failed ? 503 : 200));
      if (failed) {
        span.setStatus(Status.newBuilder().setCode(Status.StatusCode.STATUS_CODE_ERROR))
            .addAttributes(text("error.type", "503"));
      }
      add(caller, span.build());
      return endNs;
    }
  }

  /// Who takes the little that is always taken.
  private static String culprit(Function function) {
    return function.equals(REPORT) ? "shop" : "{host}";
  }

  private static List<Function> callees(Function function, String method) {
    return switch (function.name) {
      case "gateway" -> method.equals("POST") ? List.of(CART, CATALOG, PAYMENTS) : List.of(CATALOG);
      case "catalog" -> List.of(PRICE);
      case "cart" -> List.of(PRICE);
      default -> List.of();
    };
  }

  private long exponential(long meanNs) {
    return (long) (-Math.log(1 - random.nextDouble()) * meanNs);
  }

  private void add(Function function, Span span) {
    request.addResourceSpans(
        ResourceSpans.newBuilder()
            .setResource(
                Resource.newBuilder()
                    .addAttributes(text("service.name", function.name))
                    .addAttributes(text("service.version", "1"))
                    .addAttributes(text("headspan.tenant", function.tenant))
                    .addAttributes(text("headspan.team", function.tenant + "-team"))
                    .addAttributes(text("headspan.runtime", function.runtime))
                    .addAttributes(text("faas.instance", function.name + "-0"))
                    .addAttributes(text("host.name", function.node)))
            .addScopeSpans(ScopeSpans.newBuilder().addSpans(span)));
  }

  public static KeyValue text(String key, String value) {
    return KeyValue.newBuilder()
        .setKey(key)
        .setValue(AnyValue.newBuilder().setStringValue(value))
        .build();
  }

  public static KeyValue number(String key, long value) {
    return KeyValue.newBuilder()
        .setKey(key)
        .setValue(AnyValue.newBuilder().setIntValue(value))
        .build();
  }
}
