package io.headspan.benchmarks.capture;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A gRPC server of grpc-java's, driven by its client; each in a process of its own.
final class GrpcApplication implements Application {
  private static final String JAVA =
      Path.of(System.getProperty("java.home"), "bin", "java").toString();

  private final Process server;
  private final int port;

  private GrpcApplication(Process server, int port) {
    this.server = server;
    this.port = port;
  }

  @SuppressWarnings("resource") // The reader is closed with the process.
  static GrpcApplication start() throws IOException {
    Process server =
        new ProcessBuilder(java(GrpcServerMain.class))
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
  public Run run(String prefix, int connections, int pauseMillis, int seconds)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(java(GrpcClientMain.class));
    Stream.of(port, prefix, connections, pauseMillis, seconds)
        .map(Object::toString)
        .forEach(command::add);
    return RunReport.of(command);
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

  private static List<String> java(Class<?> main) {
    return List.of(
        JAVA,
        "-XX:+UseSerialGC",
        "-Xmx256m",
        "-cp",
        System.getProperty("java.class.path"),
        main.getName());
  }
}
