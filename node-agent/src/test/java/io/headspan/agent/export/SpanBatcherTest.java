package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import io.headspan.agent.identity.Identity;
import io.headspan.agent.identity.InstanceRuntime;
import io.headspan.agent.interference.InvocationAccount;
import io.headspan.agent.invocation.ParentEvidence;
import io.headspan.agent.invocation.TracedExchange;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.life.Circumstances;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SpanBatcherTest {
  private static final Identity CONTAINER =
      new Identity(
          InstanceRuntime.CONTAINER,
          "checkout",
          "acme",
          "payments",
          "checkout",
          "7",
          "c0ffee",
          "c0ffee",
          "acme/checkout:7",
          null,
          0);
  private static final Identity PROCESS =
      new Identity(
          InstanceRuntime.PROCESS,
          "nginx",
          null,
          null,
          null,
          null,
          "17@4711",
          null,
          null,
          "nginx",
          17);
  private static final TraceContext CONTEXT =
      new TraceContext(0x1234, 0x5678, 0xabcd, (byte) 1, "a=b");

  private final List<SpanBatch> batches = new ArrayList<>();
  private final Ledger ledger = new Ledger();
  private final SpanBatcher batcher =
      new SpanBatcher(
          "node-1",
          3,
          Duration.ofSeconds(1),
          () -> 0,
          () -> Instant.ofEpochSecond(100),
          ledger,
          this::add);

  private void add(SpanBatch batch, TenantCounts spans) {
    assertThat(spans.total()).isEqualTo(batch.size());
    batches.add(batch);
  }

  @Test
  void saysWhoTookMostOfTheTimeAndHowMuch() {
    InvocationAccount account =
        new InvocationAccount(
            InvocationAccount.Scope.THREAD,
            "acme",
            10,
            20,
            0,
            40L,
            List.of(
                new InvocationAccount.Wait("batch", 7),
                new InvocationAccount.Wait("media", 5),
                new InvocationAccount.Wait("acme", 90),
                new InvocationAccount.Wait("media", 6)));
    batcher.add(
        traced(server(200, End.RESPONSE), head("GET", "/", CONTEXT), 0xabcd),
        CONTAINER,
        Circumstances.ORDINARY,
        Optional.of(account),
        0);
    SpanBatch batch = flushed();
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .containsEntry("headspan.stolen_ns", 18L)
        .containsEntry("headspan.culprit", "media")
        .containsEntry("headspan.culprit_ns", 11L);
  }

  @Test
  void makesASpanOfAnInvocation() {
    batcher.add(
        traced(server(200, End.RESPONSE), head("GET", "/orders/17", CONTEXT), 0xabcd),
        CONTAINER,
        Circumstances.ORDINARY,
        0);
    SpanBatch batch = flushed();
    assertThat(batch.text(batch.name(0))).isEqualTo("GET /orders/{id}");
    assertThat(batch.kind(0)).isEqualTo((byte) 2);
    assertThat(batch.startNs(0)).isEqualTo(100_000_001_000L);
    assertThat(batch.durationNs(0)).isEqualTo(2_000);
    assertThat(batch.traceIdHigh(0)).isEqualTo(0x1234);
    assertThat(batch.traceIdLow(0)).isEqualTo(0x5678);
    assertThat(batch.spanId(0)).isEqualTo(0x1111);
    assertThat(batch.parentSpanId(0)).isEqualTo(0xabcd);
    assertThat(batch.flags(0)).isEqualTo(0x301);
    assertThat(batch.text(batch.traceState(0))).isEqualTo("a=b");
    assertThat(batch.statusCode(0)).isZero();
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .containsExactly(
            Map.entry("http.request.method", "GET"),
            Map.entry("http.response.status_code", 200L),
            Map.entry("http.route", "/orders/{id}"),
            Map.entry("server.port", 80L),
            Map.entry("url.path", "/orders/17"));
    assertThat(attributes(batch, batch.resourceAttributes(), 0))
        .containsExactly(
            Map.entry("container.id", "c0ffee"),
            Map.entry("container.image.name", "acme/checkout:7"),
            Map.entry("faas.instance", "c0ffee"),
            Map.entry("faas.name", "checkout"),
            Map.entry("headspan.runtime", "container"),
            Map.entry("headspan.team", "payments"),
            Map.entry("headspan.tenant", "acme"),
            Map.entry("host.name", "node-1"),
            Map.entry("service.name", "checkout"),
            Map.entry("service.version", "7"));
    assertThat(batch.text(batch.scopeName(batch.scope(0)))).isEqualTo("io.headspan.agent");
  }

  @Test
  void makesASpanOfACallAndKeepsTheWordOfItsHeader() {
    batcher.add(
        traced(client(404, End.RESPONSE), head("PURGE", "/a", CONTEXT), 0x2222),
        CONTAINER,
        Circumstances.ORDINARY,
        0);
    SpanBatch batch = flushed();
    assertThat(batch.kind(0)).isEqualTo((byte) 3);
    assertThat(batch.flags(0)).isEqualTo(0x101);
    assertThat(batch.statusCode(0)).isEqualTo((byte) 2);
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .containsExactly(
            Map.entry("error.type", "404"),
            Map.entry("headspan.header_parent", "000000000000abcd"),
            Map.entry("http.request.method", "_OTHER"),
            Map.entry("http.request.method_original", "PURGE"),
            Map.entry("http.response.status_code", 404L),
            Map.entry("server.address", "10.0.0.9"),
            Map.entry("server.port", 8080L),
            Map.entry("url.path", "/a"),
            Map.entry("url.template", "/a"));
  }

  @Test
  void saysNothingOfAProcessThatNobodySaid() {
    batcher.add(
        traced(server(200, End.RESPONSE), head("GET", "/", null), 0),
        PROCESS,
        Circumstances.ORDINARY,
        0);
    SpanBatch batch = flushed();
    assertThat(batch.parentSpanId(0)).isZero();
    assertThat(batch.flags(0)).isEqualTo(0x01);
    assertThat(attributes(batch, batch.resourceAttributes(), 0))
        .containsExactly(
            Map.entry("faas.instance", "17@4711"),
            Map.entry("headspan.runtime", "process"),
            Map.entry("host.name", "node-1"),
            Map.entry("process.executable.name", "nginx"),
            Map.entry("process.pid", 17L),
            Map.entry("service.name", "nginx"));
  }

  @Test
  void callsAnErrorWhatTheConventionsCallOne() {
    assertThat(errorType(server(500, End.RESPONSE))).isEqualTo("500");
    assertThat(errorType(server(404, End.RESPONSE))).isNull();
    assertThat(errorType(client(404, End.RESPONSE))).isEqualTo("404");
    assertThat(errorType(client(302, End.RESPONSE))).isNull();
    assertThat(errorType(server(0, End.CLOSED))).isEqualTo("connection_closed");
    assertThat(errorType(server(200, End.RESET))).isEqualTo("connection_reset");
  }

  @Test
  void saysThatAnInvocationWasTheFirstOfItsInstanceAndThatItsProcessDied() {
    batcher.add(
        traced(server(0, End.RESET), head("GET", "/", null), 0),
        CONTAINER,
        new Circumstances(5_000, "signal:9"),
        0);
    SpanBatch batch = flushed();
    assertThat(batch.statusCode(0)).isEqualTo((byte) 2);
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .containsEntry("faas.coldstart", 1L)
        .containsEntry("headspan.coldstart_ns", 5_000L)
        .containsEntry("error.type", "signal:9");
  }

  @Test
  void leavesOutAStatusThatNeverCame() {
    batcher.add(
        traced(server(0, End.RESET), head("GET", "/", null), 0),
        PROCESS,
        Circumstances.ORDINARY,
        0);
    SpanBatch batch = flushed();
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .doesNotContainKey("http.response.status_code");
  }

  @Test
  void letsABatchGoWhenItIsFull() {
    for (int i = 0; i < 7; i++) {
      batcher.add(
          traced(server(200, End.RESPONSE), head("GET", "/", null), 0),
          PROCESS,
          Circumstances.ORDINARY,
          0);
    }
    assertThat(batches).hasSize(2).allMatch(batch -> batch.size() == 3);
    assertThat(batcher.size()).isEqualTo(1);
  }

  @Test
  void letsABatchGoWhenItsFirstSpanIsOldEnough() {
    batcher.advance(5);
    batcher.add(
        traced(server(200, End.RESPONSE), head("GET", "/", null), 0),
        PROCESS,
        Circumstances.ORDINARY,
        10);
    batcher.add(
        traced(server(200, End.RESPONSE), head("GET", "/", null), 0),
        CONTAINER,
        Circumstances.ORDINARY,
        500);
    batcher.advance(1_000_000_009);
    assertThat(batches).isEmpty();
    batcher.advance(1_000_000_010);
    assertThat(batches).hasSize(1);
    assertThat(batches.getFirst().size()).isEqualTo(2);
    assertThat(batches.getFirst().resources()).isEqualTo(2);
    batcher.flush();
    assertThat(batches).as("nothing is left").hasSize(1);
  }

  @Test
  void tellsWhatAGrpcCallCalledAndHowItEnded() {
    batcher.add(
        traced(grpc(Role.SERVER, 14), head("POST", "/shop.Cart/Add", null), 0),
        CONTAINER,
        Circumstances.ORDINARY,
        0);
    SpanBatch batch = flushed();
    assertThat(batch.text(batch.name(0))).isEqualTo("shop.Cart/Add");
    assertThat(batch.statusCode(0)).isEqualTo((byte) 2);
    assertThat(attributes(batch, batch.spanAttributes(), 0))
        .containsExactly(
            Map.entry("error.type", "UNAVAILABLE"),
            Map.entry("http.request.method", "POST"),
            Map.entry("http.response.status_code", 200L),
            Map.entry("network.protocol.version", "2"),
            Map.entry("rpc.grpc.status_code", 14L),
            Map.entry("rpc.method", "Add"),
            Map.entry("rpc.service", "shop.Cart"),
            Map.entry("rpc.system", "grpc"),
            Map.entry("server.port", 80L),
            Map.entry("url.path", "/shop.Cart/Add"));
    // Not found is the caller's affair.
    assertThat(errorType(grpc(Role.SERVER, 5))).isNull();
    assertThat(errorType(grpc(Role.CLIENT, 5))).isEqualTo("NOT_FOUND");
    assertThat(errorType(grpc(Role.CLIENT, 0))).isNull();
    assertThat(errorType(grpc(Role.SERVER, 99))).isEqualTo("UNKNOWN");
  }

  private static HttpExchange grpc(Role role, int status) {
    HttpExchange http = exchange(role, 200, End.RESPONSE);
    return new HttpExchange(
        http.role(),
        http.socketCookie(),
        http.cgroupId(),
        http.local(),
        http.remote(),
        http.headSequence(),
        http.headNs(),
        http.responseNs(),
        http.tailNs(),
        http.requestHead(),
        true,
        http.status(),
        -1,
        http.end(),
        -1,
        false,
        Protocol.GRPC,
        status);
  }

  private @Nullable Object errorType(HttpExchange exchange) {
    batcher.add(traced(exchange, head("GET", "/", null), 0), PROCESS, Circumstances.ORDINARY, 0);
    SpanBatch batch = flushed();
    Object type = attributes(batch, batch.spanAttributes(), 0).get("error.type");
    assertThat(batch.statusCode(0)).isEqualTo((byte) (type == null ? 0 : 2));
    return type;
  }

  private SpanBatch flushed() {
    batcher.flush();
    return batches.getLast();
  }

  private static Map<String, Object> attributes(SpanBatch batch, Attributes attributes, int owner) {
    Map<String, Object> map = new TreeMap<>();
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      map.put(
          batch.text(attributes.key(row)),
          attributes.type(row) == AttributeType.STRING
              ? batch.text((int) attributes.value(row))
              : (Object) attributes.value(row));
    }
    return map;
  }

  private static TracedExchange traced(HttpExchange exchange, RequestHead head, long parent) {
    TraceContext context = head.context();
    return new TracedExchange(
        exchange,
        head,
        0x1111,
        context == null ? 1 : context.traceIdHigh(),
        context == null ? 2 : context.traceIdLow(),
        (byte) 1,
        context == null ? "" : context.traceState(),
        parent,
        ParentEvidence.HEADER,
        false);
  }

  private static RequestHead head(String method, String path, @Nullable TraceContext context) {
    CarriedContext carried = context == null ? CarriedContext.NONE : CarriedContext.VALID;
    return new RequestHead(method, path, 1, carried, context);
  }

  private static HttpExchange server(int status, End end) {
    return exchange(Role.SERVER, status, end);
  }

  private static HttpExchange client(int status, End end) {
    return exchange(Role.CLIENT, status, end);
  }

  private static HttpExchange exchange(Role role, int status, End end) {
    return new HttpExchange(
        role,
        1,
        1,
        new InetSocketAddress("10.0.0.1", 80),
        new InetSocketAddress("10.0.0.9", 8080),
        0,
        1_000,
        2_000,
        3_000,
        new byte[0],
        true,
        status,
        0,
        end,
        -1,
        false);
  }
}
