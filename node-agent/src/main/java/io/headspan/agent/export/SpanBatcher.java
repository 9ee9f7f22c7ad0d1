package io.headspan.agent.export;

import io.headspan.agent.http.RequestHead;
import io.headspan.agent.identity.Identity;
import io.headspan.agent.interference.InvocationAccount;
import io.headspan.agent.invocation.Operation;
import io.headspan.agent.invocation.OperationNames;
import io.headspan.agent.invocation.PeerProtocol;
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
import io.headspan.wire.Utf8Table;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Makes spans of exchanges and batches of spans, one resource per instance. A batch goes out when
/// it is full or its first span old enough. One thread.
public final class SpanBatcher {
  private static final String SCOPE = "io.headspan.agent";
  private static final byte KIND_SERVER = 2;
  private static final byte KIND_CLIENT = 3;
  private static final byte STATUS_ERROR = 2;

  /// OTLP flags: whether the parent is in another process is known; it is.
  private static final int HAS_IS_REMOTE = 0x100;

  private static final int IS_REMOTE = 0x200;

  /// What has operations of its own: what a function serves and what it calls are not the same.
  private record FunctionKey(@Nullable String tenant, String serviceName, boolean serves) {}

  private final String hostName;
  private final int spansMax;
  private final long ageMaxNs;
  private final WallClock clock;
  private final OperationNames names = new OperationNames();
  private final Map<InetAddress, String> addresses = new HashMap<>();
  private final Ledger ledger;
  private final BatchSink output;

  private @Nullable OpenBatch batch;

  /// A batch being filled, with the ids of everything that comes again and again.
  private static final class OpenBatch {
    final SpanBatch.Builder builder = new SpanBatch.Builder();
    final Utf8Table table = builder.table();
    final Attributes.Builder attributes = builder.spanAttributes();
    final TenantCounts.Builder tenants = new TenantCounts.Builder();
    final IdentityHashMap<Identity, Integer> scopes = new IdentityHashMap<>();
    final long begunNs;
    final int scopeName = table.intern(SCOPE);
    final int method = table.intern("http.request.method");
    final int originalMethod = table.intern("http.request.method_original");
    final int path = table.intern("url.path");
    final int route = table.intern("http.route");
    final int template = table.intern("url.template");
    final int status = table.intern("http.response.status_code");
    final int serverAddress = table.intern("server.address");
    final int serverPort = table.intern("server.port");
    final int peerAddress = table.intern("network.peer.address");
    final int peerPort = table.intern("network.peer.port");
    final int transport = table.intern("network.transport");
    final int dbSystem = table.intern("db.system.name");
    final int responseBytes = table.intern("headspan.response_bytes");
    final int errorType = table.intern("error.type");
    final int open = table.intern("headspan.open");
    final int coldStart = table.intern("faas.coldstart");
    final int coldStartNs = table.intern("headspan.coldstart_ns");
    final int protocolVersion = table.intern("network.protocol.version");
    final int rpcSystem = table.intern("rpc.system");
    final int rpcService = table.intern("rpc.service");
    final int rpcMethod = table.intern("rpc.method");
    final int rpcStatus = table.intern("rpc.grpc.status_code");
    final int headerParent = table.intern("headspan.header_parent");
    final int scope = table.intern("headspan.scope");
    final int queueNs = table.intern("headspan.queue_ns");
    final int cpuNs = table.intern("headspan.cpu_ns");
    final int stolenNs = table.intern("headspan.stolen_ns");
    final int culprit = table.intern("headspan.culprit");
    final int culpritNs = table.intern("headspan.culprit_ns");
    final int throttledNs = table.intern("headspan.throttled_ns");
    final int blockedNs = table.intern("headspan.blocked_ns");

    OpenBatch(long begunNs) {
      this.begunNs = begunNs;
    }

    void text(int span, int key, String value) {
      attributes.add(span, key, AttributeType.STRING, table.intern(value));
    }

    void number(int span, int key, long value) {
      attributes.add(span, key, AttributeType.INT, value);
    }

    void flag(int span, int key, boolean value) {
      attributes.add(span, key, AttributeType.BOOL, value ? 1 : 0);
    }
  }

  /// @param monotonic CLOCK_MONOTONIC, ns
  /// @param ledger is told of each span
  /// @param output takes each batch, never an empty one
  public SpanBatcher(
      String hostName,
      int spansMax,
      Duration ageMax,
      LongSupplier monotonic,
      Supplier<Instant> wall,
      Ledger ledger,
      BatchSink output) {
    this.hostName = hostName;
    this.spansMax = spansMax;
    ageMaxNs = ageMax.toNanos();
    clock = new WallClock(monotonic, wall);
    this.ledger = ledger;
    this.output = output;
  }

  /// As [#add(TracedExchange, Identity, Circumstances, Optional, long)], without account.
  void add(TracedExchange traced, Identity identity, Circumstances circumstances, long nowNs) {
    add(traced, identity, circumstances, Optional.empty(), nowNs);
  }

  /// Adds the span of an exchange.
  ///
  /// @param identity the instance whose socket it was
  /// @param circumstances what its beginning or end have to do with it
  /// @param account what became of its time, if that is known
  public void add(
      TracedExchange traced,
      Identity identity,
      Circumstances circumstances,
      Optional<InvocationAccount> account,
      long nowNs) {
    OpenBatch open = batch;
    if (open == null) {
      open = new OpenBatch(nowNs);
      batch = open;
    }
    int span = addSpan(open, traced, identity, circumstances);
    if (account.isPresent()) {
      addAccount(open, span, account.get());
    }
    open.tenants.add(identity.tenant());
    ledger.batched(identity.tenant());
    if (open.builder.size() >= spansMax) {
      flush();
    }
  }

  /// Lets a batch go that is old enough, and follows the wall clock.
  public void advance(long nowNs) {
    clock.follow(nowNs);
    OpenBatch open = batch;
    if (open != null && nowNs - open.begunNs >= ageMaxNs) {
      flush();
    }
  }

  /// Lets the batch go as it is.
  public void flush() {
    OpenBatch open = batch;
    if (open != null) {
      batch = null;
      output.accept(open.builder.build(), open.tenants.build());
    }
  }

  /// Spans in the batch being filled.
  public int size() {
    OpenBatch open = batch;
    return open == null ? 0 : open.builder.size();
  }

  /// How many spans were named `{other}` because their function had too many operations. Any
  /// thread.
  public long unnamedOperations() {
    return names.others();
  }

  private int addSpan(
      OpenBatch open, TracedExchange traced, Identity identity, Circumstances circumstances) {
    HttpExchange exchange = traced.exchange();
    boolean server = exchange.role() == Role.SERVER;
    SpanBatch.Builder builder = open.builder;
    int span = builder.addSpan(scope(open, identity));
    builder.startNs(span, clock.epochNs(exchange.headNs()));
    builder.durationNs(span, Math.max(0, exchange.tailNs() - exchange.headNs()));
    builder.traceIdHigh(span, traced.traceIdHigh());
    builder.traceIdLow(span, traced.traceIdLow());
    builder.spanId(span, traced.spanId());
    builder.parentSpanId(span, traced.parentSpanId());
    builder.traceState(span, open.table.intern(CapturedState.of(traced.traceState())));
    builder.flags(span, flags(traced, server));
    builder.kind(span, server ? KIND_SERVER : KIND_CLIENT);
    if (exchange.protocol() == Protocol.OTHER) {
      addPeer(open, span, exchange);
    } else {
      addHttp(open, span, traced, identity);
    }
    if (exchange.end() == End.OPEN || traced.wasOpen()) {
      open.flag(span, open.open, exchange.end() == End.OPEN);
    }
    if (circumstances.coldStartNs() != 0) {
      open.flag(span, open.coldStart, true);
      open.number(span, open.coldStartNs, circumstances.coldStartNs());
    }
    String death = circumstances.death();
    String error = death == null ? error(exchange, server) : death;
    if (error != null) {
      builder.statusCode(span, STATUS_ERROR);
      open.text(span, open.errorType, error);
    }
    long headerParent = traced.headerParentSpanId();
    if (headerParent != 0 && headerParent != traced.parentSpanId()) {
      open.text(span, open.headerParent, TraceContext.hexId(headerParent));
    }
    return span;
  }

  /// A call in a protocol of which no more is known than its first bytes show.
  private void addPeer(OpenBatch open, int span, HttpExchange exchange) {
    InetSocketAddress peer = exchange.remote();
    String system = PeerProtocol.of(exchange.requestHead(), peer.getPort());
    String address = address(peer.getAddress());
    open.builder.name(span, open.table.intern(system == null ? "tcp" : system));
    if (system != null) {
      open.text(span, open.dbSystem, system);
    }
    open.text(span, open.serverAddress, address);
    open.number(span, open.serverPort, peer.getPort());
    open.text(span, open.peerAddress, address);
    open.number(span, open.peerPort, peer.getPort());
    open.text(span, open.transport, "tcp");
    open.number(span, open.responseBytes, exchange.responseBytes());
  }

  private void addHttp(OpenBatch open, int span, TracedExchange traced, Identity identity) {
    HttpExchange exchange = traced.exchange();
    RequestHead head = traced.head();
    boolean server = exchange.role() == Role.SERVER;
    SpanBatch.Builder builder = open.builder;
    FunctionKey function = new FunctionKey(identity.tenant(), identity.serviceName(), server);
    Operation operation = names.of(function, head);
    boolean grpc = exchange.protocol() == Protocol.GRPC;
    builder.name(span, open.table.intern(grpc ? grpcName(operation) : operation.name()));
    if (grpc) {
      addGrpc(open, span, head.path(), exchange.grpcStatus());
    } else if (operation.template() != null) {
      open.text(span, server ? open.route : open.template, operation.template());
    }
    if (OperationNames.isKnownMethod(head.method())) {
      open.text(span, open.method, head.method());
    } else {
      open.text(span, open.method, "_OTHER");
      open.text(span, open.originalMethod, head.method());
    }
    open.text(span, open.path, head.path());
    if (exchange.status() != 0) {
      open.number(span, open.status, exchange.status());
    }
    switch (exchange.protocol()) {
      case HTTP_2, GRPC -> open.text(span, open.protocolVersion, "2");
      case HTTP_1, HTTP_1_PIPELINED, OTHER -> {}
    }
    if (server) {
      open.number(span, open.serverPort, exchange.local().getPort());
    } else {
      open.text(span, open.serverAddress, address(exchange.remote().getAddress()));
      open.number(span, open.serverPort, exchange.remote().getPort());
    }
  }

  private static void addAccount(OpenBatch open, int span, InvocationAccount account) {
    open.text(span, open.scope, account.scope().label());
    open.number(span, open.queueNs, account.queueNs());
    open.number(span, open.cpuNs, account.cpuNs());
    open.number(span, open.stolenNs, account.stolenNs());
    account
        .culprit()
        .ifPresent(most -> {
          open.text(span, open.culprit, most.culprit());
          open.number(span, open.culpritNs, most.ns());
        });
    open.number(span, open.throttledNs, account.throttledNs());
    Long blockedNs = account.blockedNs();
    if (blockedNs != null) {
      open.number(span, open.blockedNs, blockedNs);
    }
  }

  /// Of gRPC, the path is `/SERVICE/METHOD`, and the name of the span that without the first slash.
  private static String grpcName(Operation operation) {
    String name = operation.name();
    int path = name.indexOf(" /");
    return path < 0 ? name.substring(name.indexOf(' ') + 1) : name.substring(path + 2);
  }

  private static void addGrpc(OpenBatch open, int span, String path, int status) {
    open.text(span, open.rpcSystem, "grpc");
    int slash = path.lastIndexOf('/');
    if (slash > 0) {
      open.text(span, open.rpcService, path.substring(1, slash));
      open.text(span, open.rpcMethod, path.substring(slash + 1));
    }
    if (status >= 0) {
      open.number(span, open.rpcStatus, status);
    }
  }

  private static int flags(TracedExchange traced, boolean server) {
    int flags = traced.flags() & 0xff;
    if (traced.parentSpanId() != 0) {
      flags |= server ? HAS_IS_REMOTE | IS_REMOTE : HAS_IS_REMOTE;
    }
    return flags;
  }

  /// What `error.type` is, by the semantic conventions for HTTP and gRPC spans; null if there was
  /// no error.
  private static @Nullable String error(HttpExchange exchange, boolean server) {
    return switch (exchange.end()) {
      case OPEN -> null;
      case CLOSED -> "connection_closed";
      case RESET ->
          switch (exchange.protocol()) {
            case HTTP_1, HTTP_1_PIPELINED, OTHER -> "connection_reset";
            case HTTP_2, GRPC -> "stream_reset";
          };
      case RESPONSE ->
          exchange.grpcStatus() >= 0 ? grpcError(exchange, server) : httpError(exchange, server);
    };
  }

  private static @Nullable String grpcError(HttpExchange exchange, boolean server) {
    GrpcStatus status = GrpcStatus.of(exchange.grpcStatus());
    return status.isError(server) ? status.name() : null;
  }

  private static @Nullable String httpError(HttpExchange exchange, boolean server) {
    return exchange.status() >= (server ? 500 : 400) ? Integer.toString(exchange.status()) : null;
  }

  private int scope(OpenBatch open, Identity identity) {
    Integer known = open.scopes.get(identity);
    if (known != null) {
      return known;
    }
    SpanBatch.Builder builder = open.builder;
    int resource = builder.addResource();
    resourceText(open, resource, "service.name", identity.serviceName());
    resourceText(open, resource, "service.version", identity.version());
    resourceText(open, resource, "headspan.tenant", identity.tenant());
    resourceText(open, resource, "headspan.team", identity.team());
    resourceText(open, resource, "headspan.runtime", identity.runtime().label());
    resourceText(open, resource, "faas.name", identity.function());
    resourceText(open, resource, "faas.instance", identity.instance());
    resourceText(open, resource, "container.id", identity.containerId());
    resourceText(open, resource, "container.image.name", identity.image());
    resourceText(open, resource, "process.executable.name", identity.executable());
    if (identity.pid() != 0) {
      builder
          .resourceAttributes()
          .add(resource, open.table.intern("process.pid"), AttributeType.INT, identity.pid());
    }
    identity.platform().forEach((key, value) -> resourceText(open, resource, key, value));
    resourceText(open, resource, "host.name", hostName);
    int scope = builder.addScope(resource);
    builder.scopeName(scope, open.scopeName);
    open.scopes.put(identity, scope);
    return scope;
  }

  private static void resourceText(
      OpenBatch open, int resource, String key, @Nullable String value) {
    if (value != null) {
      open.builder
          .resourceAttributes()
          .add(resource, open.table.intern(key), AttributeType.STRING, open.table.intern(value));
    }
  }

  private String address(InetAddress address) {
    if (addresses.size() > 10_000) {
      addresses.clear();
    }
    return addresses.computeIfAbsent(address, InetAddress::getHostAddress);
  }
}
