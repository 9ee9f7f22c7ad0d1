package io.headspan.agent.probe.http;

import io.grpc.CallOptions;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/// A real gRPC server and channels to it, whose messages are plain bytes.
final class GrpcEcho implements AutoCloseable {
  static final String SERVICE = "headspan.test.Echo";

  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        }
      };

  /// Answers with the request, or fails with the status whose number is the request's length.
  static final MethodDescriptor<byte[], byte[]> UNARY = method("Unary", MethodType.UNARY);

  static final MethodDescriptor<byte[], byte[]> FAIL = method("Fail", MethodType.UNARY);

  /// Answers with as many messages as the request is long, of 1,000 bytes each.
  static final MethodDescriptor<byte[], byte[]> MANY = method("Many", MethodType.SERVER_STREAMING);

  /// Never answers.
  static final MethodDescriptor<byte[], byte[]> NEVER = method("Never", MethodType.UNARY);

  static final MethodDescriptor<byte[], byte[]> UNKNOWN = method("Unknown", MethodType.UNARY);

  /// Answers with the request after what the test gave has run.
  static final MethodDescriptor<byte[], byte[]> THEN = method("Then", MethodType.UNARY);

  private final Server server;

  GrpcEcho(InetAddress address, IntFunction<byte[]> then) throws IOException {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(address, 0))
            .maxInboundMetadataSize(1 << 17)
            .addService(
                ServerServiceDefinition.builder(SERVICE)
                    .addMethod(UNARY, ServerCalls.asyncUnaryCall(GrpcEcho::echo))
                    .addMethod(FAIL, ServerCalls.asyncUnaryCall(GrpcEcho::fail))
                    .addMethod(MANY, ServerCalls.asyncServerStreamingCall(GrpcEcho::many))
                    .addMethod(NEVER, ServerCalls.asyncUnaryCall((_, _) -> {}))
                    .addMethod(
                        THEN,
                        ServerCalls.asyncUnaryCall(
                            (byte[] request, StreamObserver<byte[]> response) ->
                                Context.ROOT.run(() -> {
                                  response.onNext(then.apply(request.length));
                                  response.onCompleted();
                                })))
                    .build())
            .build()
            .start();
  }

  int port() {
    return server.getPort();
  }

  static ManagedChannel channel(int port) {
    return channel(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  static ManagedChannel channel(InetSocketAddress server) {
    return NettyChannelBuilder.forAddress(server)
        .usePlaintext()
        .maxInboundMetadataSize(1 << 17)
        .build();
  }

  static byte[] call(
      ManagedChannel channel, MethodDescriptor<byte[], byte[]> method, byte[] request) {
    return ClientCalls.blockingUnaryCall(channel, method, CallOptions.DEFAULT, request);
  }

  static byte[] call(
      ManagedChannel channel,
      MethodDescriptor<byte[], byte[]> method,
      byte[] request,
      String header,
      String value) {
    var metadata = new Metadata();
    metadata.put(Metadata.Key.of(header, Metadata.ASCII_STRING_MARSHALLER), value);
    return ClientCalls.blockingUnaryCall(
        ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata)),
        method,
        CallOptions.DEFAULT,
        request);
  }

  private static MethodDescriptor<byte[], byte[]> method(String name, MethodType type) {
    return MethodDescriptor.<byte[], byte[]>newBuilder(BYTES, BYTES)
        .setType(type)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .build();
  }

  private static void echo(byte[] request, StreamObserver<byte[]> response) {
    response.onNext(request);
    response.onCompleted();
  }

  private static void fail(byte[] request, StreamObserver<byte[]> response) {
    response.onError(Status.fromCodeValue(request.length).asRuntimeException());
  }

  private static void many(byte[] request, StreamObserver<byte[]> response) {
    var call = (ServerCallStreamObserver<byte[]>) response;
    Runnable write =
        new Runnable() {
          private int left = request.length;

          @Override
          public void run() {
            while (left > 0 && call.isReady()) {
              left--;
              call.onNext(new byte[1_000]);
              if (left == 0) {
                call.onCompleted();
              }
            }
          }
        };
    call.setOnReadyHandler(write);
    call.setOnCancelHandler(() -> {});
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      if (!server.awaitTermination(10, TimeUnit.SECONDS)) {
        throw new IllegalStateException("gRPC server does not end: port=" + server.getPort());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
