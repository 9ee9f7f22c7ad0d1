package io.headspan.benchmarks.capture;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/// A gRPC server of grpc-java's, driven by its client; each in a process of its own.
final class GrpcApplication implements Application {
  private final Process server;
  private final int port;

  private GrpcApplication(Process server, int port) {
    this.server = server;
    this.port = port;
  }

  @SuppressWarnings("resource") // The reader is closed with the process.
  static GrpcApplication start() throws IOException {
    Process server =
        new ProcessBuilder(JavaProgram.command(GrpcServerMain.class))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader output = server.inputReader();
    String line = output.readLine();
    if (line == null || !line.startsWith("port=")) {
      server.destroyForcibly();
      throw new IOException("the gRPC server did not start: output=" + line);
    }
    return new GrpcApplication(server, Integer.parseInt(line.substring("port=".length())));
  }

  @Override
  public String name() {
    return "grpc";
  }

  @Override
  public Run run(String prefix, int connections, int perSecond, int seconds)
      throws IOException, InterruptedException {
    return JavaProgram.run(GrpcClientMain.class, port, prefix, connections, perSecond, seconds);
  }

  @Override
  public void close() {
    server.destroy();
    try {
      if (!server.waitFor(10, TimeUnit.SECONDS)) {
        server.destroyForcibly();
        throw new IllegalStateException("the gRPC server did not end: pid=" + server.pid());
      }
    } catch (InterruptedException e) {
      server.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
