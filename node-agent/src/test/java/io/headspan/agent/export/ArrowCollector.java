package io.headspan.agent.export;

import io.grpc.DecompressorRegistry;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapDecoder;
import io.headspan.wire.otap.OtapHeaders;
import io.headspan.wire.signal.RegionAway;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A collector for tests: a real gRPC server that decodes OTel-Arrow streams and keeps the spans of
/// each batch by its token, once. It can be killed and started again on the same port.
public final class ArrowCollector implements AutoCloseable {
  /// What to do with a batch that was read.
  enum Answer {
    /// Store and acknowledge.
    STORE,
    /// Store and end the process before the acknowledgement.
    STORE_AND_DIE,
    /// Store and say nothing.
    STORE_IN_SILENCE,
    /// Say that there is no room now.
    UNAVAILABLE,
    /// Say that a region's store is away.
    REGION_AWAY,
    /// Refuse for good.
    REFUSE,
    /// End the stream, as after bytes that cannot be decoded.
    BREAK_STREAM
  }

  /// Decides by sequence number and how often that batch was received before.
  interface Policy {
    Answer answer(long sequence, int before);
  }

  /// What names a batch.
  record Token(String boot, long sequence) implements Comparable<Token> {
    private static final Comparator<Token> ORDER =
        Comparator.comparing(Token::boot).thenComparingLong(Token::sequence);

    @Override
    public int compareTo(Token other) {
      return ORDER.compare(this, other);
    }
  }

  private final TreeMap<Token, List<Long>> spanIdsByToken = new TreeMap<>();
  private final Map<Token, Integer> received = new TreeMap<>();
  private final List<Token> order = new ArrayList<>();
  private final List<SpanBatch> batches = new ArrayList<>();
  private Policy policy = (_, _) -> Answer.STORE;
  private int storedAgain;
  private int streams;
  private int port;
  private @Nullable Server server;
  private String tokenPrefix = "";
  private String wanted = "";
  private int refused;

  /// Starts on a free port the first time, then on the same one again.
  public synchronized void start() throws IOException {
    Service service = new Service();
    Server starting =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .decompressorRegistry(
                DecompressorRegistry.getDefaultInstance().with(new ZstdCodec(), false))
            .maxInboundMessageSize(64 << 20)
            .addService(ServerInterceptors.intercept(service, new Guard()))
            .build()
            .start();
    service.runsIn = starting;
    server = starting;
    port = starting.getPort();
  }

  /// Ends as if the process were killed: connections break, nothing is answered any more.
  void kill() {
    Server killed;
    synchronized (this) {
      killed = server;
      server = null;
    }
    if (killed != null) {
      killed.shutdownNow();
      try {
        if (!killed.awaitTermination(10, TimeUnit.SECONDS)) {
          throw new IllegalStateException("the test collector does not end");
        }
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  @Override
  public void close() {
    kill();
  }

  public synchronized int port() {
    return port;
  }

  synchronized void setPolicy(Policy policy) {
    this.policy = policy;
  }

  /// Lets in only whose header `authorization` is this.
  synchronized void letIn(String authorization) {
    wanted = authorization;
  }

  /// Streams that were not let in.
  synchronized int refused() {
    return refused;
  }

  /// Ids of all spans stored.
  synchronized List<Long> spanIds() {
    return spanIdsByToken.values().stream().flatMap(Collection::stream).toList();
  }

  synchronized List<Long> sequences() {
    return spanIdsByToken.keySet().stream().map(Token::sequence).toList();
  }

  /// The batches stored, in the order they came.
  synchronized List<Token> order() {
    return List.copyOf(order);
  }

  /// How often a batch came that was stored already.
  synchronized int storedAgain() {
    return storedAgain;
  }

  synchronized int streams() {
    return streams;
  }

  /// Agent and boot id of all batches.
  synchronized String tokenPrefix() {
    return tokenPrefix;
  }

  /// All batches stored, in the order they came.
  public synchronized List<SpanBatch> batches() {
    return List.copyOf(batches);
  }

  private synchronized Answer receive(Map<String, String> headers, SpanBatch batch) {
    long sequence = Long.parseLong(header(headers, "headspan-sequence"));
    tokenPrefix = header(headers, "headspan-agent-id") + "/" + header(headers, "headspan-boot-id");
    Token token = new Token(header(headers, "headspan-boot-id"), sequence);
    int before = received.merge(token, 1, Integer::sum) - 1;
    Answer answer = policy.answer(sequence, before);
    switch (answer) {
      case STORE, STORE_AND_DIE, STORE_IN_SILENCE -> {
        List<Long> spanIds = new ArrayList<>();
        for (int row = 0; row < batch.size(); row++) {
          spanIds.add(batch.spanId(row));
        }
        List<Long> stored = spanIdsByToken.putIfAbsent(token, spanIds);
        if (stored == null) {
          batches.add(batch);
          order.add(token);
        } else {
          storedAgain++;
          if (!stored.equals(spanIds)) {
            throw new IllegalStateException("another batch under the same token: " + token);
          }
        }
      }
      case UNAVAILABLE, REGION_AWAY, REFUSE, BREAK_STREAM -> {}
    }
    return answer;
  }

  private static String header(Map<String, String> headers, String name) {
    String value = headers.get(name);
    if (value == null) {
      throw new IllegalStateException("header is missing: name=" + name + ", headers=" + headers);
    }
    return value;
  }

  private final class Guard implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      String shown =
          headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER));
      synchronized (ArrowCollector.this) {
        if (!wanted.isEmpty() && !wanted.equals(shown)) {
          refused++;
          call.close(Status.UNAUTHENTICATED.withDescription("no known token"), new Metadata());
          return new ServerCall.Listener<>() {};
        }
      }
      return next.startCall(call, headers);
    }
  }

  private final class Service extends ArrowTracesServiceGrpc.ArrowTracesServiceImplBase {
    /// The one to end, which need not be the newest any more.
    private @Nullable Server runsIn;

    @Override
    public StreamObserver<BatchArrowRecords> arrowTraces(StreamObserver<BatchStatus> answers) {
      synchronized (ArrowCollector.this) {
        streams++;
      }
      OtapDecoder decoder = new OtapDecoder();
      OtapHeaders headers = new OtapHeaders();
      return new StreamObserver<>() {
        @Override
        public void onNext(BatchArrowRecords records) {
          Map<String, String> metadata = headers.decode(records.getHeaders());
          SpanBatch batch = decoder.decode(records);
          switch (receive(metadata, batch)) {
            case STORE -> answer(records, StatusCode.OK, "");
            case UNAVAILABLE -> answer(records, StatusCode.UNAVAILABLE, "no room");
            case REGION_AWAY ->
                answer(records, StatusCode.UNAVAILABLE, RegionAway.PREFIX + "region=us");
            case REFUSE -> answer(records, StatusCode.INVALID_ARGUMENT, "bad batch");
            case BREAK_STREAM -> {
              decoder.close();
              answers.onError(Status.INTERNAL.withDescription("cannot decode").asException());
            }
            case STORE_IN_SILENCE -> {}
            case STORE_AND_DIE -> {
              Server dying;
              synchronized (ArrowCollector.this) {
                dying = runsIn;
              }
              if (dying != null) {
                dying.shutdownNow();
              }
            }
          }
        }

        private void answer(BatchArrowRecords records, StatusCode code, String message) {
          answers.onNext(
              BatchStatus.newBuilder()
                  .setBatchId(records.getBatchId())
                  .setStatusCode(code)
                  .setStatusMessage(message)
                  .build());
        }

        @Override
        public void onError(Throwable failure) {
          decoder.close();
        }

        @Override
        public void onCompleted() {
          decoder.close();
          answers.onCompleted();
        }
      };
    }
  }
}
