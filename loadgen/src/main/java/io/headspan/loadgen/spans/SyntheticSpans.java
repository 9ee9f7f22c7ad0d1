package io.headspan.loadgen.spans;

import io.headspan.loadgen.spans.Topology.Function;
import io.headspan.loadgen.spans.Topology.Instance;
import io.headspan.loadgen.spans.Topology.Operation;
import io.headspan.loadgen.spans.Topology.Query;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborWriter;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// An endless stream of plausible spans, the same for the same seed: traces of 1 to [#MAX_SPANS]
/// spans through a system of 48 functions of 8 tenants, with their HTTP and database calls.
/// Popularity is skewed, times are log-normal, 1 % of the requests fail, and every kind of column
/// and attribute type occurs. Spans carry the attributes that the semantic conventions name for
/// HTTP and database spans and that Headspan adds, and appear in the order in which they end.
///
/// Not thread-safe; give each thread a seed of its own.
public final class SyntheticSpans {
  /// Most spans of one trace.
  public static final int MAX_SPANS = 80;

  private static final double TRACES_PER_SECOND = 1_000;
  private static final long NETWORK_NS = 150_000;
  private static final int CLIENT_ADDRESSES = 4_000;
  private static final int IDS = 50_000;

  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;
  private static final byte CONSUMER = 5;
  private static final byte ERROR = 2;

  private final SplittableRandom random;
  private final Topology topology;
  private final double tracesPerSecond;
  private final PriorityQueue<Pending> pending =
      new PriorityQueue<>(
          Comparator.comparingLong((Pending span) -> span.endNs)
              .thenComparingLong(span -> span.spanId));
  private final CborWriter cbor = new CborWriter();
  private long clockNs;
  private long traceIdHigh;
  private long traceIdLow;
  private int spansOfTrace;
  private @Nullable Pending lastRoot;

  /// A stream whose first trace starts at `startNs`, ns since the Unix epoch; later ones follow at
  /// 1,000 traces a second of that clock.
  public SyntheticSpans(long seed, long startNs) {
    random = new SplittableRandom(seed);
    topology = Topology.of(random);
    tracesPerSecond = TRACES_PER_SECOND;
    clockNs = startNs;
  }

  /// Other traces than those of [#SyntheticSpans(long, long)] with this seed, through the same
  /// functions.
  ///
  /// @param stream any number but the seed; the traces are the same for the same one
  public SyntheticSpans(long seed, long stream, long startNs) {
    this(seed, stream, startNs, TRACES_PER_SECOND);
  }

  /// The same with as many traces a second of its clock.
  public SyntheticSpans(long seed, long stream, long startNs, double tracesPerSecond) {
    this.tracesPerSecond = tracesPerSecond;
    random = new SplittableRandom(stream);
    topology = Topology.of(new SplittableRandom(seed));
    clockNs = startNs;
  }

  /// The next `spans` spans.
  public SpanBatch next(int spans) {
    Batch batch = new Batch();
    for (int i = 0; i < spans; i++) {
      Pending span = pending.peek();
      while (span == null || span.endNs > clockNs) {
        startTrace();
        span = pending.peek();
      }
      batch.add(pending.remove());
    }
    return batch.builder.build();
  }

  /// A span that has not ended yet.
  private static final class Pending {
    final long traceIdHigh;
    final long traceIdLow;
    final long spanId;
    final long parentSpanId;
    final Function function;
    final Instance instance;
    final byte kind;
    final long startNs;
    final long endNs;
    final boolean failed;
    final @Nullable Operation operation;
    final @Nullable Query query;
    final @Nullable Instance peer;
    final @Nullable Pending link;

    Pending(
        SyntheticSpans in,
        Caller caller,
        long spanId,
        byte kind,
        long startNs,
        long endNs,
        boolean failed,
        @Nullable Operation operation,
        @Nullable Query query,
        @Nullable Instance peer,
        @Nullable Pending link) {
      traceIdHigh = in.traceIdHigh;
      traceIdLow = in.traceIdLow;
      this.spanId = spanId;
      parentSpanId = caller.parentSpanId;
      function = caller.function;
      instance = caller.instance;
      this.kind = kind;
      this.startNs = startNs;
      this.endNs = endNs;
      this.failed = failed;
      this.operation = operation;
      this.query = query;
      this.peer = peer;
      this.link = link;
    }
  }

  /// Where a span happens.
  private record Caller(Function function, Instance instance, long parentSpanId) {}

  private void startTrace() {
    clockNs += (long) (-Math.log(1 - random.nextDouble()) * 1e9 / tracesPerSecond);
    traceIdHigh = random.nextLong();
    traceIdLow = random.nextLong();
    spansOfTrace = 0;
    Function entry = topology.functions().get(skewed(Topology.ENTRIES));
    lastRoot = serve(entry, pick(entry.instances()), 0, clockNs);
  }

  /// A request served by `function`, with everything it calls.
  private Pending serve(Function function, Instance instance, long parentSpanId, long startNs) {
    spansOfTrace++;
    Operation operation = function.operations().get(skewed(function.operations().size()));
    long spanId = random.nextLong();
    Caller inside = new Caller(function, instance, spanId);
    long now = startNs + logNormal(operation.medianNs() / 2);
    boolean failed = random.nextInt(100) == 0;
    for (Query query : function.queries()) {
      if (spansOfTrace < MAX_SPANS && random.nextInt(3) > 0) {
        now = query(inside, query, now);
      }
    }
    for (int callee : function.callees()) {
      if (spansOfTrace + 2 <= MAX_SPANS && random.nextInt(4) > 0) {
        now = call(inside, topology.functions().get(callee), now);
      }
    }
    long endNs = now + logNormal(operation.medianNs() / 2);
    boolean queued = parentSpanId == 0 && random.nextInt(50) == 0;
    Pending span =
        new Pending(
            this,
            new Caller(function, instance, parentSpanId),
            spanId,
            queued ? CONSUMER : SERVER,
            startNs,
            endNs,
            failed,
            operation,
            null,
            null,
            queued ? lastRoot : null);
    pending.add(span);
    return span;
  }

  /// A call of another function: the caller's span and the callee's. Returns when it ends.
  private long call(Caller caller, Function callee, long startNs) {
    spansOfTrace++;
    long spanId = random.nextLong();
    Instance peer = pick(callee.instances());
    Pending served = serve(callee, peer, spanId, startNs + logNormal(NETWORK_NS));
    long endNs = served.endNs + logNormal(NETWORK_NS);
    pending.add(
        new Pending(
            this,
            caller,
            spanId,
            CLIENT,
            startNs,
            endNs,
            served.failed,
            served.operation,
            null,
            peer,
            null));
    return endNs;
  }

  private long query(Caller caller, Query query, long startNs) {
    spansOfTrace++;
    long endNs = startNs + logNormal(600_000);
    pending.add(
        new Pending(
            this,
            caller,
            random.nextLong(),
            CLIENT,
            startNs,
            endNs,
            random.nextInt(200) == 0,
            null,
            query,
            null,
            null));
    return endNs;
  }

  private <T> T pick(List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  /// An index below `bound`; low ones are much more likely than high ones.
  private int skewed(int bound) {
    double share = random.nextDouble();
    return (int) (bound * share * share * share);
  }

  private long logNormal(long medianNs) {
    return (long) (medianNs * Math.exp(0.6 * random.nextGaussian()));
  }

  /// A batch being filled.
  private final class Batch {
    final SpanBatch.Builder builder = new SpanBatch.Builder();
    private final Utf8Table table = builder.table();
    private final Attributes.Builder attributes = builder.spanAttributes();
    private final IdentityHashMap<Instance, Integer> scopes = new IdentityHashMap<>();

    void add(Pending span) {
      int row = builder.addSpan(scopes.computeIfAbsent(span.instance, _ -> scope(span)));
      builder.traceIdHigh(row, span.traceIdHigh);
      builder.traceIdLow(row, span.traceIdLow);
      builder.spanId(row, span.spanId);
      builder.parentSpanId(row, span.parentSpanId);
      builder.startNs(row, span.startNs);
      builder.durationNs(row, span.endNs - span.startNs);
      builder.kind(row, span.kind);
      builder.flags(row, 0x101);
      if (span.failed) {
        builder.statusCode(row, ERROR);
        fail(row, span);
      }
      if (span.query != null) {
        query(row, span, span.query);
      }
      if (span.operation != null) {
        request(row, span, span.operation);
      }
      if (span.link != null) {
        int link = builder.addLink(row);
        builder.linkTraceIdHigh(link, span.link.traceIdHigh);
        builder.linkTraceIdLow(link, span.link.traceIdLow);
        builder.linkSpanId(link, span.link.spanId);
        int key = table.intern("messaging.operation.type");
        builder.linkAttributes().add(link, key, AttributeType.STRING, table.intern("receive"));
      }
    }

    private int scope(Pending span) {
      Function function = span.function;
      int resource = builder.addResource();
      builder.resourceSchemaUrl(resource, table.intern("https://opentelemetry.io/schemas/1.44.0"));
      resource(resource, "service.name", function.name());
      resource(resource, "service.version", function.version());
      resource(resource, "headspan.tenant", function.tenant());
      resource(resource, "headspan.team", function.team());
      resource(resource, "headspan.runtime", function.runtime());
      resource(resource, "faas.name", function.name());
      resource(resource, "faas.instance", span.instance.id());
      resource(resource, "container.id", span.instance.containerId());
      resource(resource, "host.name", span.instance.node());
      resource(resource, "k8s.namespace.name", function.tenant());
      resource(resource, "k8s.deployment.name", function.name());
      resource(resource, "k8s.pod.name", span.instance.id());
      resource(resource, "k8s.pod.uid", span.instance.uid());
      resource(resource, "os.type", "linux");
      resource(resource, "deployment.environment.name", "production");
      int pid = table.intern("process.pid");
      builder.resourceAttributes().add(resource, pid, AttributeType.INT, span.instance.pid());
      int scope = builder.addScope(resource);
      builder.scopeName(scope, table.intern("io.headspan.agent"));
      builder.scopeVersion(scope, table.intern("0.1.0"));
      return scope;
    }

    private void resource(int resource, String key, String value) {
      int id = table.intern(key);
      builder.resourceAttributes().add(resource, id, AttributeType.STRING, table.intern(value));
    }

    private void request(int row, Pending span, Operation operation) {
      String path = operation.path().replace("{id}", Integer.toString(skewed(IDS)));
      builder.name(row, table.intern(operation.name()));
      text(row, "http.request.method", operation.method());
      integer(row, "http.response.status_code", span.failed ? 500 : 200);
      text(row, "network.protocol.version", "1.1");
      if (span.peer != null) {
        text(row, "url.full", "http://" + span.peer.host() + ":8080" + path);
        server(row, span, span.peer.host(), 8080);
        return;
      }
      text(row, "url.scheme", "http");
      text(row, "url.path", path);
      if (random.nextInt(4) == 0) {
        text(row, "url.query", "page=" + skewed(40) + "&size=20");
      }
      text(row, "http.route", operation.path());
      int address = skewed(CLIENT_ADDRESSES);
      text(row, "client.address", "192.168." + address / 250 + "." + address % 250);
      text(row, "network.peer.address", "10.0.0." + random.nextInt(4));
      integer(row, "network.peer.port", random.nextInt(32_768, 61_000));
      text(row, "server.address", span.instance.host());
      integer(row, "server.port", 8080);
      int agent = skewed(topology.userAgents().size());
      text(row, "user_agent.original", topology.userAgents().get(agent));
      integer(row, "http.response.body.size", skewed(20_000));
      thread(row);
      text(row, "faas.trigger", "http");
      text(row, "headspan.scope", "thread");
      integer(row, "headspan.queue_ns", logNormal(30_000));
      integer(row, "headspan.cpu_ns", (span.endNs - span.startNs) / random.nextLong(2, 20));
      if (random.nextInt(50) == 0) {
        attributes.add(row, table.intern("faas.coldstart"), AttributeType.BOOL, 1);
      }
      if (random.nextInt(20) == 0) {
        double ratio = random.nextInt(100) / 100.0;
        attributes.add(
            row,
            table.intern("app.cache.hit_ratio"),
            AttributeType.DOUBLE,
            Double.doubleToRawLongBits(ratio));
      }
      if (random.nextInt(20) == 0) {
        cbor.reset();
        cbor.beginArray();
        cbor.text("application/json");
        cbor.text(random.nextBoolean() ? "text/html" : "*/*");
        cbor.end();
        attributes.add(
            row,
            table.intern("http.request.header.accept"),
            AttributeType.SLICE,
            cbor.internInto(table));
      }
    }

    private void server(int row, Pending span, String address, int port) {
      text(row, "server.address", address);
      integer(row, "server.port", port);
      text(row, "network.peer.address", span.instance.host());
      integer(row, "network.peer.port", port);
      thread(row);
    }

    private void thread(int row) {
      int thread = skewed(40);
      integer(row, "thread.id", 30 + thread);
      text(row, "thread.name", "http-nio-8080-exec-" + (thread + 1));
    }

    private void query(int row, Pending span, Query query) {
      builder.name(row, table.intern(query.name()));
      text(row, "db.system.name", query.system());
      text(row, "db.namespace", query.namespace());
      text(row, "db.operation.name", query.operation());
      text(row, "db.collection.name", query.collection());
      text(row, "db.query.text", query.text());
      text(row, "db.user", span.function.name());
      server(row, span, query.namespace() + "-db." + span.function.tenant(), 5432);
      integer(row, "db.response.returned_rows", skewed(100));
    }

    private void fail(int row, Pending span) {
      builder.statusMessage(row, table.intern("upstream connect error"));
      text(row, "error.type", "java.io.IOException");
      int event = builder.addEvent(row);
      builder.eventName(event, table.intern("exception"));
      builder.eventTimeNs(event, span.endNs - 1_000);
      event(event, "exception.type", "java.io.IOException");
      event(event, "exception.message", "connection reset by peer: fd=" + random.nextInt(1_000));
      event(event, "exception.stacktrace", STACK_TRACES.get(skewed(STACK_TRACES.size())));
    }

    private void event(int event, String key, String value) {
      int id = table.intern(key);
      builder.eventAttributes().add(event, id, AttributeType.STRING, table.intern(value));
    }

    private void text(int row, String key, String value) {
      attributes.add(row, table.intern(key), AttributeType.STRING, table.intern(value));
    }

    private void integer(int row, String key, long value) {
      attributes.add(row, table.intern(key), AttributeType.INT, value);
    }
  }

  private static final List<String> STACK_TRACES = stackTraces();

  private static List<String> stackTraces() {
    List<String> traces = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      StringBuilder trace = new StringBuilder("java.io.IOException: connection reset by peer");
      for (int frame = 0; frame < 12; frame++) {
        trace
            .append("\n\tat com.example.shop.layer")
            .append(frame)
            .append(".Handler.step(Handler.java:")
            .append(31 * i + 7 * frame)
            .append(')');
      }
      traces.add(trace.toString());
    }
    return List.copyOf(traces);
  }
}
