package io.headspan.collector.spanmetrics;

import io.headspan.collector.spanmetrics.SpanFacts.Source;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Who calls whom: a CLIENT (PRODUCER) span and the SERVER (CONSUMER) span below it are a request.
/// The one that comes first waits for the other for a while; then what is missing is a virtual
/// node, if a name for it is known. Not thread-safe.
///
/// A function with an SDK and an agent is seen twice. The agent's SERVER span names the SDK's call
/// as what its header said: so a request between SDK spans, which for that waits until its time is
/// over, is left out if agents have seen it, too.
final class ServiceGraph {
  /// For how long a span waits for the other.
  static final Duration WAIT = Duration.ofSeconds(10);

  private static final int WAITING_MAX = 50_000;
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;
  private static final byte PRODUCER = 4;
  private static final byte CONSUMER = 5;
  private static final byte ERROR = 2;

  /// What an unnamed caller is called.
  private static final String USER = "user";

  private static final List<SpanFacts.Key> PEERS =
      List.of(
          SpanFacts.Key.PEER_SERVICE,
          SpanFacts.Key.DB_NAME,
          SpanFacts.Key.DB_SYSTEM,
          SpanFacts.Key.DB_SYSTEM_NAME);

  private final SeriesMap<Edge, Requests> edges;
  private final LinkedHashMap<CallId, Half> waiting = new LinkedHashMap<>();
  private long unpaired;
  private long dropped;

  /// How the two ends are connected.
  enum Connection {
    DIRECT(""),
    MESSAGING("messaging_system"),
    DATABASE("database"),
    VIRTUAL("virtual_node");

    private final String label;

    Connection(String label) {
      this.label = label;
    }

    String label() {
      return label;
    }
  }

  /// Labels of a series.
  record Edge(
      String client,
      String clientTenant,
      String server,
      String serverTenant,
      Connection connection) {}

  /// The requests of an edge.
  static final class Requests {
    double count;
    double failed;
    final WeightedHistogram client = new WeightedHistogram(Buckets.REQUESTS);
    final WeightedHistogram server = new WeightedHistogram(Buckets.REQUESTS);
  }

  private record CallId(long traceIdHigh, long traceIdLow, long spanId) {}

  private record End(Source source, Exemplary span, boolean failed, double weight, String peer) {
    /// What agents send has a runtime.
    boolean isOfSdk() {
      return source.runtime().isEmpty();
    }
  }

  private static final class Half {
    private final long bornMillis;
    private Connection connection = Connection.DIRECT;
    private @Nullable End client;
    private @Nullable End server;

    /// An agent's span has it in its header: if the request is the SDK's, the agent saw it, too. If
    /// it is an agent's, a function further on was only handed its header.
    private boolean superseded;

    Half(long bornMillis) {
      this.bornMillis = bornMillis;
    }
  }

  /// @param seriesMax edges at a time
  ServiceGraph(int seriesMax) {
    edges = new SeriesMap<>(seriesMax, Requests::new);
  }

  SeriesMap<Edge, Requests> edges() {
    return edges;
  }

  /// Spans that found no other end, and nothing that it could be called.
  long unpaired() {
    return unpaired;
  }

  /// Spans that there was no room for.
  long dropped() {
    return dropped;
  }

  void add(SpanBatch batch, int span, SpanFacts facts, Exemplary exemplary, long nowMillis) {
    switch (batch.kind(span)) {
      case CLIENT, PRODUCER -> addClient(batch, span, facts, exemplary, nowMillis);
      case SERVER, CONSUMER -> addServer(batch, span, facts, exemplary, nowMillis);
      default -> {
        // Nothing that goes from service to service.
      }
    }
  }

  private void addClient(
      SpanBatch batch, int span, SpanFacts facts, Exemplary exemplary, long nowMillis) {
    End end = end(batch, span, facts, exemplary);
    String database = database(facts, span);
    if (!database.isEmpty()) {
      count(end, null, database, Connection.DATABASE, nowMillis);
      return;
    }
    Half half = half(batch, span, batch.spanId(span), nowMillis);
    if (half != null) {
      half.client = end;
      if (batch.kind(span) == PRODUCER) {
        half.connection = Connection.MESSAGING;
      }
      completeIfWhole(batch, span, batch.spanId(span), half, nowMillis);
    }
  }

  private void addServer(
      SpanBatch batch, int span, SpanFacts facts, Exemplary exemplary, long nowMillis) {
    End end = end(batch, span, facts, exemplary);
    long parent = batch.parentSpanId(span);
    if (parent == 0) {
      count(null, end, end.peer().isEmpty() ? USER : end.peer(), Connection.VIRTUAL, nowMillis);
      return;
    }
    String inHeader = facts.text(span, SpanFacts.Key.HEADER_PARENT);
    if (TraceContext.isHexId(inHeader)) {
      Half seenTwice = half(batch, span, Long.parseUnsignedLong(inHeader, 16), nowMillis);
      if (seenTwice != null) {
        seenTwice.superseded = true;
      }
    }
    Half half = half(batch, span, parent, nowMillis);
    if (half != null) {
      half.server = end;
      if (batch.kind(span) == CONSUMER) {
        half.connection = Connection.MESSAGING;
      }
      completeIfWhole(batch, span, parent, half, nowMillis);
    }
  }

  /// Lets go what has waited for long enough.
  void expire(long nowMillis) {
    Iterator<Half> oldest = waiting.values().iterator();
    while (oldest.hasNext()) {
      Half half = oldest.next();
      if (nowMillis - half.bornMillis < WAIT.toMillis()) {
        return;
      }
      oldest.remove();
      settle(half, nowMillis);
    }
  }

  private void settle(Half half, long nowMillis) {
    End client = half.client;
    End server = half.server;
    if (half.superseded && (server == null || server.isOfSdk())) {
      return;
    }
    if (client != null && server != null) {
      count(client, server, "", half.connection, nowMillis);
    } else if (client != null && !client.peer().isEmpty()) {
      count(client, null, client.peer(), Connection.VIRTUAL, nowMillis);
    } else {
      unpaired++;
    }
  }

  private @Nullable Half half(SpanBatch batch, int span, long callId, long nowMillis) {
    CallId id = new CallId(batch.traceIdHigh(span), batch.traceIdLow(span), callId);
    Half half = waiting.get(id);
    if (half == null) {
      if (waiting.size() >= WAITING_MAX) {
        dropped++;
        return null;
      }
      half = new Half(nowMillis);
      waiting.put(id, half);
    }
    return half;
  }

  private void completeIfWhole(SpanBatch batch, int span, long callId, Half half, long nowMillis) {
    End client = half.client;
    End server = half.server;
    if (client != null && server != null && (!server.isOfSdk() || half.superseded)) {
      waiting.remove(new CallId(batch.traceIdHigh(span), batch.traceIdLow(span), callId));
      settle(half, nowMillis);
    }
  }

  /// @param name of the end that is missing
  private void count(
      @Nullable End client,
      @Nullable End server,
      String name,
      Connection connection,
      long nowMillis) {
    Edge edge =
        new Edge(
            client == null ? name : client.source().service(),
            client == null ? "" : client.source().tenant(),
            server == null ? name : server.source().service(),
            server == null ? "" : server.source().tenant(),
            connection);
    edges
        .at(edge, nowMillis)
        .ifPresent(requests -> {
          End any = client == null ? server : client;
          double weight = any == null ? 0 : any.weight();
          requests.count += weight;
          if ((client != null && client.failed()) || (server != null && server.failed())) {
            requests.failed += weight;
          }
          if (client != null) {
            requests.client.observe(client.span(), weight);
          }
          if (server != null) {
            requests.server.observe(server.span(), weight);
          } else if (client != null && connection == Connection.DATABASE) {
            // What it took as seen from its client.
            requests.server.observe(client.span(), weight);
          }
        });
  }

  private static End end(SpanBatch batch, int span, SpanFacts facts, Exemplary exemplary) {
    String peer = "";
    for (SpanFacts.Key key : PEERS) {
      if (peer.isEmpty()) {
        peer = facts.text(span, key);
      }
    }
    return new End(
        facts.source(span), exemplary, batch.statusCode(span) == ERROR, facts.weight(span), peer);
  }

  /// What a call to a database is called; empty if it is none.
  private static String database(SpanFacts facts, int span) {
    String name = "";
    for (SpanFacts.Key key :
        List.of(
            SpanFacts.Key.DB_NAMESPACE,
            SpanFacts.Key.DB_NAME,
            SpanFacts.Key.DB_SYSTEM_NAME,
            SpanFacts.Key.DB_SYSTEM)) {
      if (name.isEmpty()) {
        name = facts.text(span, key);
      }
    }
    if (name.isEmpty()) {
      return "";
    }
    for (SpanFacts.Key key : List.of(SpanFacts.Key.PEER_SERVICE, SpanFacts.Key.SERVER_ADDRESS)) {
      String better = facts.text(span, key);
      if (!better.isEmpty()) {
        return better;
      }
    }
    String address = facts.text(span, SpanFacts.Key.PEER_ADDRESS);
    String port = facts.text(span, SpanFacts.Key.PEER_PORT);
    return address.isEmpty() ? name : port.isEmpty() ? address : address + ":" + port;
  }

  /// Seconds, never negative: a sender's clock may have been set back.
  static double seconds(long durationNs) {
    return Math.max(0, durationNs) / (double) TimeUnit.SECONDS.toNanos(1);
  }
}
