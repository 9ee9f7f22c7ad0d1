package io.headspan.collector.receive;

import com.google.protobuf.Message;
import com.linecorp.armeria.common.grpc.GrpcSerializationFormats;
import com.linecorp.armeria.server.Route;
import com.linecorp.armeria.server.ServerBuilder;
import com.linecorp.armeria.server.ServiceBindingBuilder;
import com.linecorp.armeria.server.ServiceRequestContext;
import com.linecorp.armeria.server.grpc.GrpcService;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.headspan.collector.edge.Credentials;
import io.headspan.collector.edge.Sender;
import io.headspan.collector.edge.Verdict;
import io.headspan.wire.signal.v1.NodeSignalsGrpc;
import io.headspan.wire.signal.v1.SignalReceipt;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.collector.metrics.v1.MetricsServiceGrpc;
import io.opentelemetry.proto.collector.trace.v1.TraceServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowLogsServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowMetricsServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowTracesServiceGrpc;
import io.opentelemetry.proto.experimental.arrow.v1.BatchStatus;
import java.io.InputStream;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/// The receivers of one collector: OTel-Arrow streams, OTLP/gRPC and OTLP/HTTP, all on one server.
/// Thread-safe.
public final class Receivers {
  private static final Duration HTTP_TIMEOUT = Duration.ofSeconds(60);

  private static final String GRPC_ENCODING = "grpc-encoding";
  private static final String IDENTITY = "identity";

  private final Reception reception;
  private final OtlpIntake otlp;
  private final Object lock = new Object();
  private final Set<ArrowStream> streams = new HashSet<>();
  private boolean closing;

  public Receivers(Reception reception) {
    this.reception = reception;
    otlp = new OtlpIntake(reception);
  }

  /// Adds the routes.
  ///
  /// A stream lives for hours and carries gigabytes, so its routes have neither of Armeria's limits
  /// on the time and the length of a request. What bounds them is the length of one message here,
  /// the memory of one stream in the decoder, and the bytes in flight.
  public void addTo(ServerBuilder server) {
    GrpcService grpc =
        GrpcService.builder()
            .addService(
                arrow(
                    ArrowTracesServiceGrpc.SERVICE_NAME,
                    ArrowTracesServiceGrpc.getArrowTracesMethod(),
                    OtlpSignal.TRACES))
            .addService(
                arrow(
                    ArrowLogsServiceGrpc.SERVICE_NAME,
                    ArrowLogsServiceGrpc.getArrowLogsMethod(),
                    OtlpSignal.LOGS))
            .addService(
                arrow(
                    ArrowMetricsServiceGrpc.SERVICE_NAME,
                    ArrowMetricsServiceGrpc.getArrowMetricsMethod(),
                    OtlpSignal.METRICS))
            .addService(
                otlp(
                    TraceServiceGrpc.SERVICE_NAME,
                    TraceServiceGrpc.getExportMethod(),
                    OtlpSignal.TRACES))
            .addService(
                otlp(
                    LogsServiceGrpc.SERVICE_NAME,
                    LogsServiceGrpc.getExportMethod(),
                    OtlpSignal.LOGS))
            .addService(
                otlp(
                    MetricsServiceGrpc.SERVICE_NAME,
                    MetricsServiceGrpc.getExportMethod(),
                    OtlpSignal.METRICS))
            .addService(nodeSignals())
            .supportedSerializationFormats(GrpcSerializationFormats.PROTO)
            .decompressorRegistry(EncodedMessage.decompressors())
            .maxRequestMessageLength(reception.limits().messageBytes() + EncodedMessage.MARK_BYTES)
            .useBlockingTaskExecutor(false)
            .build();
    ServiceBindingBuilder routes = server.route();
    for (Route route : grpc.routes()) {
      routes.addRoute(route);
    }
    routes.requestTimeoutMillis(0).maxRequestLength(0).build(grpc);
    for (OtlpSignal signal : OtlpSignal.values()) {
      server
          .route()
          .post(signal.path())
          .requestTimeoutMillis(HTTP_TIMEOUT.toMillis())
          .maxRequestLength(reception.limits().messageBytes())
          .build(new OtlpHttpService(signal, otlp, reception.senders()));
    }
  }

  /// Refuses new calls, answers the batches of open streams that are under way, ends the streams.
  ///
  /// @return whether all have ended within `timeout`
  public boolean close(Duration timeout) throws InterruptedException {
    List<ArrowStream> open;
    synchronized (lock) {
      closing = true;
      open = List.copyOf(streams);
    }
    for (ArrowStream stream : open) {
      stream.end(closingStatus());
    }
    long deadline = System.nanoTime() + timeout.toNanos();
    synchronized (lock) {
      while (!streams.isEmpty()) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        lock.wait(left / 1_000_000 + 1);
      }
    }
    return true;
  }

  private ServerServiceDefinition arrow(
      String service, MethodDescriptor<?, BatchStatus> method, OtlpSignal signal) {
    return ServerServiceDefinition.builder(service)
        .addMethod(unread(method), (call, _) -> openStream(call, signal))
        .build();
  }

  private <S extends Message> ServerServiceDefinition otlp(
      String service, MethodDescriptor<?, S> export, OtlpSignal signal) {
    MethodDescriptor<EncodedMessage, Message> method =
        export.toBuilder(EncodedMessage.MARSHALLER, answers(export.getResponseMarshaller()))
            .setType(MethodDescriptor.MethodType.CLIENT_STREAMING)
            .build();
    return ServerServiceDefinition.builder(service)
        .addMethod(method, (call, headers) -> openCall(call, signal, headers))
        .build();
  }

  /// Writes answers of any signal; on the wire a message is what it is.
  private static MethodDescriptor.Marshaller<Message> answers(
      MethodDescriptor.Marshaller<? extends Message> of) {
    return new MethodDescriptor.Marshaller<>() {
      @Override
      public InputStream stream(Message value) {
        return value.toByteString().newInput();
      }

      @Override
      public Message parse(InputStream stream) {
        return of.parse(stream);
      }
    };
  }

  private ServerServiceDefinition nodeSignals() {
    MethodDescriptor<EncodedMessage, SignalReceipt> method =
        unread(NodeSignalsGrpc.getReportMethod());
    return ServerServiceDefinition.builder(NodeSignalsGrpc.SERVICE_NAME)
        .addMethod(
            method,
            (call, _) -> {
              if (refused(call)) {
                return new Refused();
              }
              return switch (reception.senders().agent(shown())) {
                case Verdict.Refused refused -> refuse(call, refused);
                case Verdict.Known(Sender sender) -> {
                  call.request(2);
                  yield new SignalCall(call, reception, sender);
                }
              };
            })
        .build();
  }

  /// The method with requests left as they came.
  private static <S> MethodDescriptor<EncodedMessage, S> unread(MethodDescriptor<?, S> method) {
    return method.toBuilder(EncodedMessage.MARSHALLER, method.getResponseMarshaller()).build();
  }

  private ServerCall.Listener<EncodedMessage> openStream(
      ServerCall<EncodedMessage, BatchStatus> call, OtlpSignal signal) {
    if (refused(call)) {
      return new Refused();
    }
    Credentials shown = shown();
    if (reception.senders().sender(shown) instanceof Verdict.Refused refused) {
      return refuse(call, refused);
    }
    ArrowStream stream =
        new ArrowStream(
            call,
            signal,
            ServiceRequestContext.current().eventLoop(),
            shown,
            reception,
            this::ended);
    synchronized (lock) {
      if (closing) {
        call.close(closingStatus(), new Metadata());
        return new Refused();
      }
      streams.add(stream);
    }
    reception.metrics().streamOpened();
    stream.start();
    return stream;
  }

  private ServerCall.Listener<EncodedMessage> openCall(
      ServerCall<EncodedMessage, Message> call, OtlpSignal signal, Metadata headers) {
    if (refused(call)) {
      return new Refused();
    }
    return switch (reception.senders().sender(shown())) {
      case Verdict.Refused refused -> refuse(call, refused);
      case Verdict.Known(Sender sender) -> {
        OtlpCall listener = new OtlpCall(call, signal, otlp, sender, headers);
        listener.start(ServiceRequestContext.current());
        yield listener;
      }
    };
  }

  private static Credentials shown() {
    return Credentials.of(ServiceRequestContext.current());
  }

  private static ServerCall.Listener<EncodedMessage> refuse(
      ServerCall<?, ?> call, Verdict.Refused refused) {
    call.close(status(refused), new Metadata());
    return new Refused();
  }

  /// How gRPC says why a caller is not let in.
  static Status status(Verdict.Refused refused) {
    Status status =
        switch (refused.reason()) {
          case UNAUTHENTICATED -> Status.UNAUTHENTICATED;
          case FORBIDDEN -> Status.PERMISSION_DENIED;
        };
    return status.withDescription(refused.why());
  }

  /// Closes a call that cannot be served.
  private boolean refused(ServerCall<?, ?> call) {
    boolean isClosing;
    synchronized (lock) {
      isClosing = closing;
    }
    if (isClosing) {
      call.close(closingStatus(), new Metadata());
      return true;
    }
    String encoding =
        ServiceRequestContext.current().request().headers().get(GRPC_ENCODING, IDENTITY);
    if (encoding.equals(IDENTITY) || Compression.grpcEncodings().containsKey(encoding)) {
      return false;
    }
    call.close(
        Status.UNIMPLEMENTED.withDescription(
            "unknown grpc-encoding: encoding="
                + encoding
                + ", known="
                + new TreeSet<>(Compression.grpcEncodings().keySet())),
        new Metadata());
    return true;
  }

  private void ended(ArrowStream stream) {
    reception.metrics().streamClosed();
    synchronized (lock) {
      streams.remove(stream);
      lock.notifyAll();
    }
  }

  private static Status closingStatus() {
    return Status.UNAVAILABLE.withDescription("the collector is closing");
  }

  /// Listens to a call that is closed already.
  private static final class Refused extends ServerCall.Listener<EncodedMessage> {}
}
