package io.headspan.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.loadgen.runc.RuncContainer;
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
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The panels that ask a Prometheus, asked of one: Debian's, which scrapes an agent that captures
/// and its collector.
@Tag("privileged")
final class HealthDashboardBpfIT {
  private static final int REQUESTS = 500;
  private static final Duration WITHIN = Duration.ofSeconds(90);

  /// Series begin with the first loss, and there is none here.
  private static final String LOST = "Lost";

  @TempDir private Path directory;

  @Test
  void everyPanelHasValuesAndTheyBalance() throws Exception {
    if (Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
        .noneMatch(each -> Files.isExecutable(Path.of(each, "prometheus")))) {
      assertThat(System.getenv("CI")).as("no prometheus on PATH").isNotEqualTo("true");
      abort("no prometheus on PATH; ./dev setup installs it");
    }
    try (HeadspanNode node = HeadspanNode.start(directory);
        Prometheus prometheus =
            new Prometheus(directory, node.agentAddress(), node.collectorAddress());
        RuncContainer container =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-it-health-" + ProcessHandle.current().pid(),
                        List.of("--port", "0", "--host", "127.0.0.1"))
                    .asFunction("globex", "orders", "1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:"
                    + Integer.parseInt(container.readyLine().substring("ready on ".length())),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(REQUESTS),
                "--rate",
                "100",
                "--seed",
                "7")) {
      assertThat(traffic.await(60)).hasSize(REQUESTS);
      Map<String, String> expressions = expressions();
      assertThat(expressions).hasSizeGreaterThan(8);
      long deadlineNs = System.nanoTime() + WITHIN.toNanos();
      List<String> silent = silent(prometheus, expressions);
      while (!silent.isEmpty() && System.nanoTime() < deadlineNs) {
        LockSupport.parkNanos(Duration.ofMillis(500).toNanos());
        silent = silent(prometheus, expressions);
      }
      assertThat(silent).as("panels without values").isEmpty();
      assertThat(prometheus.query("headspan_ledger_captured_spans_total{tenant=\"globex\"}"))
          .containsExactly((double) REQUESTS);
      assertThat(prometheus.query("sum(headspan_ledger_imbalance_spans)")).containsExactly(0.0);
    }
  }

  private static List<String> silent(Prometheus prometheus, Map<String, String> expressions)
      throws Exception {
    List<String> silent = new ArrayList<>();
    for (Map.Entry<String, String> each : expressions.entrySet()) {
      if (prometheus.query(each.getValue()).isEmpty() && !each.getKey().startsWith(LOST)) {
        silent.add(each.getKey() + ": " + each.getValue());
      }
    }
    return silent;
  }

  /// Expressions by panel and number.
  private static Map<String, String> expressions() throws IOException {
    Path file = Path.of("..", "grafana-dashboards", "dashboards", "health.json");
    Map<String, String> expressions = new TreeMap<>();
    for (JsonNode panel : new ObjectMapper().readTree(file.toFile()).get("panels")) {
      for (JsonNode target : panel.get("targets")) {
        expressions.put(
            panel.get("title").asText() + " " + target.get("refId").asText(),
            target.get("expr").asText());
      }
    }
    return expressions;
  }

  /// One that scrapes every second, on a free port.
  private static final class Prometheus implements AutoCloseable {
    private final Process process;
    private final int port;
    private final HttpClient client =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    Prometheus(Path directory, String... targets) throws IOException {
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
      process =
          new ProcessBuilder(
                  "prometheus",
                  "--config.file=" + config,
                  "--storage.tsdb.path=" + directory.resolve("prometheus"),
                  "--web.listen-address=127.0.0.1:" + port)
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("prometheus.log").toFile())
              .start();
    }

    /// Values of an instant query; none while it starts.
    List<Double> query(String expression) throws InterruptedException, IOException {
      URI uri =
          URI.create(
              "http://127.0.0.1:%d/api/v1/query?query=%s"
                  .formatted(port, URLEncoder.encode(expression, UTF_8)));
      HttpResponse<byte[]> response;
      try {
        response =
            client.send(
                HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofByteArray());
      } catch (IOException e) {
        assertThat(process.isAlive()).as("prometheus ended: %s", e).isTrue();
        return List.of();
      }
      if (response.statusCode() == 503) {
        return List.of();
      }
      assertThat(response.statusCode()).as(new String(response.body(), UTF_8)).isEqualTo(200);
      List<Double> values = new ArrayList<>();
      for (JsonNode result : new ObjectMapper().readTree(response.body()).at("/data/result")) {
        values.add(result.at("/value/1").asDouble());
      }
      return values;
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
}
