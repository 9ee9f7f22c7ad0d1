package io.headspan.loadgen.prometheus;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// The machine's own Prometheus, which scrapes every second and keeps exemplars, on a free port.
public final class PrometheusServer implements AutoCloseable {
  private static final String PROGRAM = "prometheus";
  private static final int UNAVAILABLE = 503;
  private static final int OK = 200;

  private final Process process;
  private final int port;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final ObjectMapper json = new ObjectMapper();

  private PrometheusServer(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /// Whether this machine has one.
  public static boolean isInstalled() {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(":", -1))
        .anyMatch(each -> Files.isExecutable(Path.of(each, PROGRAM)));
  }

  /// Starts it.
  ///
  /// @param directory for its files
  /// @param targets `host:port` of what it scrapes
  public static PrometheusServer start(Path directory, List<String> targets) throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    Path config =
        Files.writeString(
            directory.resolve("prometheus.yml"),
            """
            global: {scrape_interval: 1s}
            scrape_configs:
              - job_name: headspan
                static_configs: [{targets: ["%s"]}]
            """
                .formatted(String.join("\", \"", targets)));
    Process process =
        new ProcessBuilder(
                PROGRAM,
                "--config.file=" + config,
                "--enable-feature=exemplar-storage",
                "--storage.tsdb.path=" + directory.resolve("prometheus"),
                "--web.listen-address=127.0.0.1:" + port)
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("prometheus.log").toFile())
            .start();
    return new PrometheusServer(process, port);
  }

  /// Values of an instant query; none while it starts.
  ///
  /// @throws IOException if it has ended, or does not understand the query
  public List<Double> query(String expression) throws IOException, InterruptedException {
    List<Double> values = new ArrayList<>();
    for (JsonNode each :
        get("query?query=" + URLEncoder.encode(expression, UTF_8)).path("result")) {
      values.add(each.at("/value/1").asDouble());
    }
    return values;
  }

  /// `data` of an answer of its API; nothing while it starts.
  ///
  /// @param pathAndQuery below `/api/v1/`
  /// @throws IOException if it has ended, or does not understand
  public JsonNode get(String pathAndQuery) throws IOException, InterruptedException {
    HttpResponse<byte[]> response;
    try {
      response =
          client.send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + port + "/api/v1/" + pathAndQuery))
                  .build(),
              HttpResponse.BodyHandlers.ofByteArray());
    } catch (IOException e) {
      if (process.isAlive()) {
        return json.createObjectNode();
      }
      throw new IOException("prometheus ended: exitCode=" + process.exitValue(), e);
    }
    if (response.statusCode() == UNAVAILABLE) {
      return json.createObjectNode();
    }
    if (response.statusCode() != OK) {
      throw new IOException(
          "prometheus does not answer: status="
              + response.statusCode()
              + ", body="
              + new String(response.body(), UTF_8));
    }
    return json.readTree(response.body()).path("data");
  }

  @Override
  public void close() {
    client.close();
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
