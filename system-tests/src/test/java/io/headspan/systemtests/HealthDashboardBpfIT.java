package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.loadgen.prometheus.PrometheusServer;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
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
  private static final List<String> LOSSES = List.of("Lost", "Left out");

  @TempDir private Path directory;

  @Test
  void everyPanelHasValuesAndTheyBalance() throws Exception {
    if (!PrometheusServer.isInstalled()) {
      assertThat(System.getenv("CI")).as("no prometheus on PATH").isNotEqualTo("true");
      abort("no prometheus on PATH; ./dev setup installs it");
    }
    try (HeadspanNode node = HeadspanNode.start(directory);
        PrometheusServer prometheus =
            PrometheusServer.start(
                directory, List.of(node.agentAddress(), node.collectorAddress()));
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

  private static List<String> silent(PrometheusServer prometheus, Map<String, String> expressions)
      throws Exception {
    List<String> silent = new ArrayList<>();
    for (Map.Entry<String, String> each : expressions.entrySet()) {
      if (prometheus.query(each.getValue()).isEmpty()
          && LOSSES.stream().noneMatch(each.getKey()::startsWith)) {
        silent.add(each.getKey() + ": " + each.getValue());
      }
    }
    return silent;
  }

  /// PromQL expressions by panel and number; panels in TraceQL are the query API's to test.
  private static Map<String, String> expressions() throws IOException {
    Path file = Path.of("..", "grafana-dashboards", "dashboards", "health.json");
    Map<String, String> expressions = new TreeMap<>();
    for (JsonNode panel : new ObjectMapper().readTree(file.toFile()).get("panels")) {
      for (JsonNode target : panel.get("targets")) {
        if (target.has("expr")) {
          expressions.put(
              panel.get("title").asText() + " " + target.get("refId").asText(),
              target.get("expr").asText());
        }
      }
    }
    return expressions;
  }
}
