package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.launcher.RoleProcess;
import io.headspan.loadgen.http.HttpConnection;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Faults of each kind, done to real containers: `explain` names each first, from what the agent
/// captured.
@Tag("privileged")
final class ExplainBpfIT {
  private static final String TENANT = "acme";
  private static final long OWN_PID = ProcessHandle.current().pid();
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final Duration STORED_WITHIN = Duration.ofSeconds(60);
  private static final int REQUESTS = 60;

  /// So many that those around the 99th percentile, one in a hundred, are enough.
  private static final int REQUESTS_WITH_TAIL = 1000;

  private static final int WARM_UP = 20;
  private static final String SHARED_CPU = "1";

  @TempDir private static Path directory;
  private static HeadspanNode node;
  private static RoleProcess query;

  /// How many were started, for their names.
  private static int containers;

  /// What was started, last first.
  private static final Deque<AutoCloseable> started = new ArrayDeque<>();

  /// When requests were sent, and how many.
  record Phase(long fromNs, long toNs, int requests) {}

  @BeforeAll
  static void start() throws Exception {
    node = HeadspanNode.start(directory);
    started.push(node);
    query = node.startQuery();
    started.push(query);
  }

  @AfterAll
  static void stop() throws Exception {
    while (!started.isEmpty()) {
      started.pop().close();
    }
  }

  @Test
  void namesASlowVersion() throws Exception {
    try (RuncContainer first = function("release", "1", List.of());
        RuncContainer second = function("release", "2", List.of())) {
      warmUp(first);
      warmUp(second);
      Phase before = send(first, "/pay?cpu=1000", REQUESTS);
      Phase after = send(second, "/pay?cpu=1000&sleep=60", REQUESTS);
      JsonNode verdict = verdict("release", before, after);
      assertThat(verdict.get("kind").asText()).isEqualTo("version");
      assertThat(verdict.get("version").asText()).isEqualTo("2");
    }
  }

  @Test
  void namesANoisyNeighbour() throws Exception {
    try (RuncContainer victim =
        start(spec("victim", "1", List.of()).onCpus(SHARED_CPU), "ready on ")) {
      warmUp(victim);
      Phase before = send(victim, "/work?cpu=8000", REQUESTS_WITH_TAIL);
      ContainerSpec spinners =
          ContainerSpec.of(
                  "headspan-explain-noisy-" + OWN_PID,
                  List.of(
                      "/bin/sh",
                      "-c",
                      "for i in 1 2 3; do (while :; do :; done) & done; echo ready; wait"))
              .asFunction("noisy", "spinner", "1")
              .onCpus(SHARED_CPU);
      Phase after;
      try (RuncContainer _ = start(spinners, "ready")) {
        after = send(victim, "/work?cpu=8000", REQUESTS_WITH_TAIL);
      }
      JsonNode verdict = verdict("victim", before, after);
      assertThat(verdict.get("statistic").asText()).isEqualTo("p99");
      assertThat(verdict.get("kind").asText()).isEqualTo("stolen");
      assertThat(verdict.get("culprit").asText()).isEqualTo("noisy");
      assertCounterfactual("victim", before, after);
    }
  }

  /// What the neighbour took is most of what was added, of the tail and of the mean.
  private static void assertCounterfactual(String service, Phase before, Phase after)
      throws Exception {
    JsonNode answer = explain(service, before, after);
    for (String statistic : List.of("p99", "mean")) {
      JsonNode without = counterfactual(answer, statistic);
      double nowMs = without.path("nowMs").asDouble();
      double withoutMs = without.path("withoutMs").asDouble();
      double baselineMs = answer.at("/baseline/" + statistic + "Ms").asDouble();
      System.out.printf(
          "%s: baseline %.2f ms, now %.2f ms, without the neighbour %.2f ms or less%n",
          statistic, baselineMs, nowMs, withoutMs);
      assertThat(without.path("bound").asText()).isEqualTo("lower");
      assertThat(nowMs - withoutMs).as(statistic).isGreaterThan((nowMs - baselineMs) / 2);
    }
  }

  private static JsonNode counterfactual(JsonNode answer, String statistic) {
    for (JsonNode each : answer.path("counterfactuals")) {
      if (each.path("culprit").asText().equals("noisy")
          && each.path("statistic").asText().equals(statistic)) {
        return each;
      }
    }
    throw new AssertionError("nothing is said of the neighbour: " + answer.toPrettyString());
  }

  @Test
  void namesColdStarts() throws Exception {
    try (RuncContainer warm = function("burst", "1", List.of())) {
      warmUp(warm);
      Phase before = send(warm, "/run?cpu=1000", REQUESTS);
      long fromNs = nowNs();
      int requests = 0;
      for (int instance = 0; instance < 6; instance++) {
        try (RuncContainer cold = function("burst", "1", List.of())) {
          // What an instance does at its first request: connect, load, compile.
          requests += send(cold, "/run?cpu=1000&sleep=400", 1).requests();
          requests += send(cold, "/run?cpu=1000", 6).requests();
        }
      }
      JsonNode verdict = verdict("burst", before, new Phase(fromNs, nowNs(), requests));
      assertThat(verdict.get("kind").asText()).isEqualTo("cold-start");
    }
  }

  @Test
  void namesASlowDependency() throws Exception {
    try (RuncContainer back = function("catalogue", "1", List.of());
        RuncContainer fast = function("front", "1", List.of("--next", url(back, "/item")));
        RuncContainer slow =
            function("front", "1", List.of("--next", url(back, "/item?sleep=40")))) {
      warmUp(fast);
      warmUp(slow);
      Phase before = send(fast, "/shop", REQUESTS_WITH_TAIL);
      Phase after = send(slow, "/shop", REQUESTS_WITH_TAIL);
      JsonNode verdict = verdict("front", before, after);
      assertThat(verdict.get("statistic").asText()).isEqualTo("p99");
      assertThat(verdict.get("kind").asText()).isEqualTo("call");
      assertThat(verdict.get("service").asText()).isEqualTo("catalogue");
      assertThat(verdict.get("operation").asText()).isEqualTo("POST /item");
      assertThat(verdict.at("/within/kind").asText()).isEqualTo("blocked");
    }
  }

  @Test
  void namesAQuotaThatIsTooSmall() throws Exception {
    try (RuncContainer free = function("limited", "1", List.of());
        RuncContainer limited =
            start(
                spec("limited", "1", List.of()).withCpuQuota(Duration.ofMillis(20)), "ready on ")) {
      warmUp(free);
      warmUp(limited);
      Phase before = send(free, "/sum?cpu=12000", REQUESTS);
      Phase after = send(limited, "/sum?cpu=12000", REQUESTS);
      assertThat(verdict("limited", before, after).get("kind").asText()).isEqualTo("throttled");
    }
  }

  private static ContainerSpec spec(String function, String version, List<String> more) {
    List<String> arguments = new ArrayList<>(List.of("--host", "127.0.0.1", "--threads", "1"));
    arguments.addAll(more);
    return RuncContainer.httpService(
            "headspan-explain-" + function + "-" + containers++ + "-" + OWN_PID, arguments)
        .asFunction(TENANT, function, version);
  }

  private static RuncContainer function(String function, String version, List<String> more) {
    return start(spec(function, version, more), "ready on ");
  }

  private static RuncContainer start(ContainerSpec spec, String ready) {
    return RuncContainer.start(spec, line -> line.startsWith(ready), TIMEOUT);
  }

  private static int port(RuncContainer container) {
    return Integer.parseInt(container.readyLine().substring("ready on ".length()));
  }

  private static String url(RuncContainer container, String path) {
    return "http://127.0.0.1:" + port(container) + path;
  }

  private static void warmUp(RuncContainer container) throws IOException {
    send(container, "/warm-up?cpu=1000", WARM_UP);
  }

  /// Requests on one connection, one after the other.
  private static Phase send(RuncContainer container, String path, int requests) throws IOException {
    InetSocketAddress address = new InetSocketAddress("127.0.0.1", port(container));
    long fromNs = nowNs();
    try (HttpConnection connection = HttpConnection.open(address, TIMEOUT)) {
      for (int i = 0; i < requests; i++) {
        connection.send(HttpConnection.request("GET", path, "h", ""));
        assertThat(connection.readResponse(false)).isEqualTo(200);
      }
    }
    return new Phase(fromNs, nowNs(), requests);
  }

  private static long nowNs() {
    return System.currentTimeMillis() * 1_000_000;
  }

  private static JsonNode verdict(String service, Phase before, Phase after) throws Exception {
    JsonNode answer = explain(service, before, after);
    assertThat(answer.at("/range/invocations").asInt())
        .as("%s", answer)
        .isEqualTo(after.requests());
    assertThat(answer.at("/baseline/invocations").asInt())
        .as("%s", answer)
        .isEqualTo(before.requests());
    System.out.println(service + ": " + answer.get("sentence").asText());
    assertThat(answer.at("/verdict/state").asText())
        .as("%s", answer.toPrettyString())
        .isEqualTo("explained");
    return answer.get("verdict");
  }

  /// The explanation, once everything that was sent is stored.
  private static JsonNode explain(String service, Phase before, Phase after) throws Exception {
    URI uri =
        URI.create(
            "http://%s/api/headspan/v1/explain?service=%s&from=%d&to=%d&baseline=%d/%d"
                .formatted(
                    query.address(),
                    service,
                    after.fromNs(),
                    after.toNs(),
                    before.fromNs(),
                    before.toNs()));
    long deadlineNs = System.nanoTime() + STORED_WITHIN.toNanos();
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      while (true) {
        HttpResponse<String> response =
            client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        JsonNode answer = new ObjectMapper().readTree(response.body());
        if (answer.at("/range/measured").asInt() >= after.requests()
            || System.nanoTime() - deadlineNs > 0) {
          return answer;
        }
        LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
      }
    }
  }
}
