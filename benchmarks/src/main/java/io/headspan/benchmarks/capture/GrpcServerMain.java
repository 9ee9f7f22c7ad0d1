package io.headspan.benchmarks.capture;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// A gRPC server in clear text that answers with what it was sent. Says `port=N`, and ends with its
/// standard input.
final class GrpcServerMain {
  private GrpcServerMain() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .addService(
                ServerServiceDefinition.builder(GrpcEcho.SERVICE)
                    .addMethod(
                        GrpcEcho.METHOD,
                        ServerCalls.asyncUnaryCall((request, answer) -> {
                          answer.onNext(request);
                          answer.onCompleted();
                        }))
                    .build())
            .build()
            .start();
    System.out.println("port=" + server.getPort());
    while (System.in.read() >= 0) {
      // Nothing is said on it.
    }
    server.shutdownNow().awaitTermination();
  }
}
