package io.headspan.benchmarks.capture;

import io.grpc.CallOptions;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/// Calls a [GrpcServerMain], and says how long calls took; see [CallLoop]. Arguments: port, prefix
/// of the trace ids, connections, calls per second (0 for as fast as answered), seconds.
final class GrpcClientMain {
  private static final Metadata.Key<String> TRACEPARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);
  private static final byte[] REQUEST = new byte[64];

  private record Calls(ManagedChannel channel) implements CallLoop.Connection {
    @Override
    public void call(String traceparent) throws IOException {
      Metadata headers = new Metadata();
      headers.put(TRACEPARENT, traceparent);
      try {
        ClientCalls.blockingUnaryCall(
            ClientInterceptors.intercept(
                channel, MetadataUtils.newAttachHeadersInterceptor(headers)),
            GrpcEcho.METHOD,
            CallOptions.DEFAULT.withDeadlineAfter(5, TimeUnit.SECONDS),
            REQUEST);
      } catch (StatusRuntimeException e) {
        throw new IOException("call failed: status=" + e.getStatus(), e);
      }
    }

    @Override
    public void close() {
      channel.shutdownNow();
    }
  }

  private GrpcClientMain() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    int port = Integer.parseInt(arguments[0]);
    System.out.println(
        CallLoop.run(
            () ->
                new Calls(
                    NettyChannelBuilder.forAddress("127.0.0.1", port)
                        .usePlaintext()
                        .directExecutor()
                        .build()),
            arguments[1],
            Integer.parseInt(arguments[2]),
            Integer.parseInt(arguments[3]),
            Integer.parseInt(arguments[4])));
  }
}
