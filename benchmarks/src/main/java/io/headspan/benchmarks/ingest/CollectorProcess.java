package io.headspan.benchmarks.ingest;

import io.headspan.collector.Collector;
import io.headspan.collector.CollectorConfig;
import io.headspan.launcher.RoleProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// A collector in a JVM of its own, with the flags of `./headspan`, so that its CPU time can be
/// told from the sender's. Ends when this process does: it reads a pipe from it.
final class CollectorProcess implements AutoCloseable {
  private static final String LISTENING = "listening on ";
  private static final int STOP_SECONDS = 30;
  private static final Duration READY_TIMEOUT = Duration.ofSeconds(60);

  private final Process process;
  private final int port;

  private CollectorProcess(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /// Starts a collector on a free port.
  ///
  /// @param store address of the store
  /// @param jvmFlags more flags for its JVM
  /// @param settings more of its environment
  static CollectorProcess start(String store, List<String> jvmFlags, Map<String, String> settings)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow"));
    command.addAll(RoleProcess.jvmArguments("collector"));
    command.addAll(jvmFlags);
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), CollectorProcess.class.getName()));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(key -> key.startsWith("HEADSPAN_COLLECTOR_"));
    builder.environment().put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    builder.environment().put("HEADSPAN_COLLECTOR_STORE", store);
    builder.environment().putAll(settings);
    Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    BufferedReader out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      if (line.startsWith(LISTENING)) {
        return new CollectorProcess(process, Integer.parseInt(line.substring(LISTENING.length())));
      }
    }
    throw new IOException("the collector's process ended before it listened");
  }

  /// Returns when it takes spans.
  void awaitReady(HttpClient http) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/ready")).build();
    long deadline = System.nanoTime() + READY_TIMEOUT.toNanos();
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    while (response.statusCode() != 200) {
      if (System.nanoTime() > deadline) {
        throw new IOException("the collector is not ready: " + response.body());
      }
      Thread.sleep(50);
      response = http.send(request, HttpResponse.BodyHandlers.ofString());
    }
  }

  int port() {
    return port;
  }

  long pid() {
    return process.pid();
  }

  /// Stops it, killing it if it does not within 30 s.
  @Override
  public void close() throws IOException {
    process.getOutputStream().close();
    try {
      if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  /// The child: runs a collector until its standard input ends.
  public static void main(String[] args) throws IOException {
    try (Collector collector = Collector.start(CollectorConfig.from(System.getenv()))) {
      System.out.println(LISTENING + collector.port());
      while (System.in.read() >= 0) {
        // Nothing is ever written there.
      }
    }
  }
}
