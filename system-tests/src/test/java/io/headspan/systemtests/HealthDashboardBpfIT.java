package io.headspan.systemtests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.launcher.RoleProcess;
import io.headspan.loadgen.prometheus.PrometheusServer;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Panels over captured traffic show what was sent: those that ask a Prometheus, asked of Debian's,
/// which scrapes an agent that captures and its collector, and the overview's.
@Tag("privileged")
final class HealthDashboardBpfIT {
  private static final int REQUESTS = 500;

  /// Of a tenant whose spans are too large for its limits.
  private static final int LEFT_OUT = 100;

  /// More batches, one each 50 ms, than the agent's memory takes.
  private static final int LOST_REQUESTS = 2_500;

  private static final int LOST_RATE = 250;
  private static final int IN_FLIGHT_MIB = 96;

  /// A rate is per second of so long.
  private static final int RATE_SECONDS = 300;

  /// What Prometheus adds to a rate for the time before the first scrape and after the last.
  private static final double EXTRAPOLATED = 1.15;

  /// What a sketch promises.
  private static final double QUANTILE_ERROR = 0.011;

  private static final String OURS = "globex";
  private static final String TOO_LARGE = "initech";

  @TempDir private Path directory;

  private record Sample(Map<String, String> labels, double value) {}

  @Test
  void panelsShowWhatWasSentAndLost() throws Exception {
    if (!PrometheusServer.isInstalled()) {
      assertThat(System.getenv("CI")).as("no prometheus on PATH").isNotEqualTo("true");
      abort("no prometheus on PATH; ./dev setup installs it");
    }
    Path tenants =
        Files.writeString(
            directory.resolve("tenants.yaml"),
            "tenants: [{name: " + TOO_LARGE + ", attributes: 1}]\n");
    Map<String, String> settings =
        Map.of(
            "HEADSPAN_AGENT_SPOOL", "off",
            "HEADSPAN_AGENT_QUEUE_BATCHES", "128",
            "HEADSPAN_AGENT_BATCH_AGE", "50ms",
            "HEADSPAN_COLLECTOR_IN_FLIGHT_MIB", Integer.toString(IN_FLIGHT_MIB),
            "HEADSPAN_COLLECTOR_TENANTS", tenants.toString());
    try (HeadspanNode node = HeadspanNode.start(directory, settings);
        RuncContainer orders = container(OURS, "orders");
        RuncContainer bills = container(TOO_LARGE, "bills");
        PrometheusServer prometheus =
            PrometheusServer.start(
                directory, List.of(node.agentAddress(), node.collectorAddress()))) {
      Map<String, String> panels = expressions();
      // A rate is of what comes after the first scrape of a series.
      List<Traffic.Sent> sent = new ArrayList<>(send(orders, 1, 11));
      send(bills, 1, 12);
      awaitValue(prometheus, captured(OURS), 1);
      awaitValue(prometheus, captured(TOO_LARGE), 1);
      awaitValue(prometheus, leftOut(), 1);
      long receivedBefore = collected(node, "received");
      awaitValue(prometheus, "headspan_collector_spans_received_total", receivedBefore);

      sent.addAll(send(orders, REQUESTS, 7));
      send(bills, LEFT_OUT, 8);
      awaitQuiet(node, OURS);
      awaitQuiet(node, TOO_LARGE);
      assertThat(AgentBooks.of(node, OURS).captured()).isEqualTo(REQUESTS + 1);
      assertThat(AgentBooks.of(node, OURS).lost() + AgentBooks.of(node, TOO_LARGE).lost())
          .as("the collector keeps up")
          .isZero();
      awaitValue(prometheus, captured(OURS), REQUESTS + 1);
      awaitValue(prometheus, captured(TOO_LARGE), LEFT_OUT + 1);
      awaitValue(prometheus, leftOut(), LEFT_OUT + 1);
      awaitValue(prometheus, "headspan_collector_spans_stored_total", collected(node, "stored"));
      checkFlow(node, prometheus, panels);
      checkOverview(node, sent);
      checkLoss(node, prometheus, of(panels, "Lost A"), orders);
      assertThat(panels.keySet())
          .as("a panel that nothing is said of")
          .containsExactlyInAnyOrder(
              "Captured A",
              "Lost A",
              "Imbalance A",
              "Waiting A",
              "Waiting B",
              "Received and stored A",
              "Received and stored B",
              "Refused A",
              "Left out A",
              "Insert time p99 A",
              "Under way A",
              "Under way B");
    }
  }

  private static RuncContainer container(String tenant, String function) throws Exception {
    return RuncContainer.startHttpService(
        RuncContainer.httpService(
                "headspan-it-health-" + function + "-" + ProcessHandle.current().pid(),
                List.of("--port", "0", "--host", "127.0.0.1"))
            .asFunction(tenant, function, "1"));
  }

  private Collection<Traffic.Sent> send(RuncContainer container, int requests, int seed)
      throws Exception {
    try (Traffic traffic = traffic(container, requests, 100, seed)) {
      Collection<Traffic.Sent> sent = traffic.await(120).values();
      assertThat(sent).hasSize(requests);
      return sent;
    }
  }

  private Traffic traffic(RuncContainer container, int requests, int rate, int seed)
      throws IOException {
    return Traffic.start(
        directory,
        "127.0.0.1:" + container.readyLine().substring("ready on ".length()),
        UnaryOperator.identity(),
        "--requests",
        Integer.toString(requests),
        "--rate",
        Integer.toString(rate),
        "--seed",
        Integer.toString(seed));
  }

  private static String captured(String tenant) {
    return "headspan_ledger_captured_spans_total{tenant=\"" + tenant + "\"}";
  }

  private static String leftOut() {
    return "headspan_collector_left_out_total{tenant=\"" + TOO_LARGE + "\"}";
  }

  private static void awaitQuiet(HeadspanNode node, String tenant) {
    Await.until(
        "the agent is quiet",
        () -> AgentBooks.of(node, tenant),
        () -> AgentBooks.of(node, tenant).isQuiet());
  }

  private static void awaitValue(PrometheusServer prometheus, String series, long atLeast) {
    Await.until(
        series + " at least " + atLeast,
        () -> samples(prometheus, series),
        () -> samples(prometheus, series).stream().anyMatch(each -> each.value() >= atLeast));
  }

  /// Spans that the collector says it has received or stored, whoever's they are: other containers
  /// of this machine are captured too.
  private static long collected(HeadspanNode node, String what) throws Exception {
    Matcher found =
        Pattern.compile("(?m)^headspan_collector_spans_" + what + "_total(?:\\{[^}]*})? (\\S+)$")
            .matcher(get("http://" + node.collectorAddress() + "/metrics"));
    double sum = 0;
    while (found.find()) {
      sum += Double.parseDouble(found.group(1));
    }
    return (long) sum;
  }

  /// What was captured, received, stored and left out.
  private static void checkFlow(
      HeadspanNode node, PrometheusServer prometheus, Map<String, String> panels) throws Exception {
    Map<String, Double> byTenant = by(samples(prometheus, of(panels, "Captured A")), "tenant");
    assertCounted("captured", of(byTenant, OURS), REQUESTS);
    assertCounted("captured", of(byTenant, TOO_LARGE), LEFT_OUT);
    Map<String, Double> left = by(samples(prometheus, of(panels, "Left out A")), "tenant");
    assertThat(left).containsOnlyKeys(TOO_LARGE);
    assertCounted("left out", of(left, TOO_LARGE), LEFT_OUT);
    assertThat(by(samples(prometheus, of(panels, "Left out A")), "reason"))
        .containsOnlyKeys("too_large");
    String received = of(panels, "Received and stored A");
    String stored = of(panels, "Received and stored B");
    assertThat(only(samples(prometheus, received)) * RATE_SECONDS)
        .isBetween((double) REQUESTS + LEFT_OUT, collected(node, "received") * EXTRAPOLATED);
    assertThat(only(samples(prometheus, stored)) * RATE_SECONDS)
        .isBetween((double) REQUESTS, collected(node, "stored") * EXTRAPOLATED);
    // In one query, for a scrape between two changes what Prometheus adds.
    assertCounted(
        "received, not stored",
        only(samples(prometheus, "(" + received + ") - (" + stored + ")")),
        LEFT_OUT);

    Map<String, Double> refused = by(samples(prometheus, of(panels, "Refused A")), "reason");
    assertCounted("refused", of(refused, "too_large"), LEFT_OUT);
    refused.remove("too_large");
    assertThat(refused.values()).isNotEmpty().allMatch(rate -> rate == 0);
    assertThat(samples(prometheus, of(panels, "Imbalance A")))
        .hasSize(1)
        .allSatisfy(each -> assertThat(each.value()).isZero());
    Await.until(
        "nothing waits",
        () ->
            Stream.of("Waiting A", "Waiting B", "Under way A")
                .map(panel -> panel + ": " + samples(prometheus, of(panels, panel)))
                .toList(),
        () ->
            only(samples(prometheus, of(panels, "Waiting A"))) == 0
                && only(samples(prometheus, of(panels, "Waiting B"))) == 0
                && only(samples(prometheus, of(panels, "Under way A"))) == 0);
    assertThat(only(samples(prometheus, of(panels, "Under way B"))))
        .isEqualTo((double) IN_FLIGHT_MIB * 1024 * 1024);
    double p99 = only(samples(prometheus, of(panels, "Insert time p99 A")));
    assertThat(p99).isBetween(0.0, longestInsert(node));
  }

  /// The bucket of the collector's slowest insert, in seconds.
  private static double longestInsert(HeadspanNode node) throws Exception {
    Matcher found =
        Pattern.compile(
                "(?m)^headspan_collector_insert_seconds_bucket\\{.*le=\"([^\"]+)\"} (\\S+)$")
            .matcher(get("http://" + node.collectorAddress() + "/metrics"));
    TreeMap<Double, Double> counts = new TreeMap<>();
    while (found.find()) {
      String le = found.group(1);
      counts.merge(
          le.equals("+Inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(le),
          Double.parseDouble(found.group(2)),
          Double::sum);
    }
    double all = counts.lastEntry().getValue();
    assertThat(all).isPositive();
    return counts.entrySet().stream()
        .filter(each -> each.getValue() == all)
        .findFirst()
        .orElseThrow()
        .getKey();
  }

  /// While the collector is away, and there is no spool, what the memory has no room for is lost.
  private void checkLoss(
      HeadspanNode node, PrometheusServer prometheus, String lost, RuncContainer container)
      throws Exception {
    long first = lose(node, container, 21);
    awaitValue(prometheus, "headspan_ledger_dropped_spans_total{reason=\"queue_full\"}", first);
    long all = lose(node, container, 22);
    assertThat(all).isGreaterThan(first);
    awaitValue(prometheus, "headspan_ledger_dropped_spans_total{reason=\"queue_full\"}", all);
    Map<String, Double> byReason = by(samples(prometheus, lost), "reason");
    double shown = of(byReason, "queue_full");
    // The series begins with the first scrape of the first loss.
    double ofAllTenants =
        only(
            samples(prometheus, "sum(headspan_ledger_dropped_spans_total{reason=\"queue_full\"})"));
    assertThat(shown * RATE_SECONDS).isBetween((double) all - first, ofAllTenants * EXTRAPOLATED);
  }

  /// Returns how much is lost by now.
  private long lose(HeadspanNode node, RuncContainer container, int seed) throws Exception {
    long before = AgentBooks.of(node, OURS).lost();
    node.killCollector();
    try (Traffic traffic = traffic(container, LOST_REQUESTS, LOST_RATE, seed)) {
      assertThat(traffic.await(120)).hasSize(LOST_REQUESTS);
      Await.until(
          "spans are lost",
          () -> AgentBooks.of(node, OURS),
          () -> AgentBooks.of(node, OURS).lost() > before);
    } finally {
      node.restartCollector();
    }
    awaitQuiet(node, OURS);
    assertThat(AgentBooks.of(node, OURS).dropped()).containsOnlyKeys("queue_full");
    return AgentBooks.of(node, OURS).lost();
  }

  /// Rates, failures, percentiles and cold starts of captured containers, asked as the overview
  /// does. Clients wait longer than the function takes, and not by much less than it.
  private static void checkOverview(HeadspanNode node, List<Traffic.Sent> sent) throws Exception {
    long now = System.currentTimeMillis() / 1_000;
    String range = "&start=" + (now - 600) / 60 * 60 + "&end=" + (now / 60 + 1) * 60;
    long failed = sent.stream().filter(each -> each.status() >= 500).count();
    double[] waited =
        sent.stream().mapToDouble(each -> each.answeredNs() - each.sentNs()).sorted().toArray();
    Map<String, String> panels = new HashMap<>();
    for (JsonNode panel : dashboard("overview").get("panels")) {
      panels.put(
          panel.get("title").asText(),
          panel.at("/targets/0/query").asText().replace("${functions:regex}", "orders"));
    }
    try (RoleProcess api = node.startQuery()) {
      String instant = "http://" + api.address() + "/api/metrics/query?q=%s" + range;
      String stepped = "http://" + api.address() + "/api/metrics/query_range?step=60s&q=%s" + range;
      assertThat(single(instant, of(panels, "Invocations"))).isEqualTo((double) sent.size());
      assertThat(single(instant, of(panels, "Failed"))).isEqualTo((double) failed);
      assertThat(single(instant, of(panels, "Cold starts"))).isEqualTo(1);
      assertThat(sum(stepped, of(panels, "Rate")) * 60).isCloseTo(sent.size(), within(1e-6));
      assertThat(sum(stepped, of(panels, "Cold starts by function"))).isEqualTo(1);
      assertThat(sum(stepped, of(panels, "Errors"))).isPositive();
      double p99 = single(instant, of(panels, "p99")) * 1e9;
      assertThat(p99).isPositive();
      int rank = (int) Math.floor(0.99 * (waited.length - 1));
      assertThat(p99).isLessThan(waited[rank + 1] * (1 + QUANTILE_ERROR));
    }
  }

  private static double single(String address, String query) throws Exception {
    JsonNode series =
        new ObjectMapper().readTree(get(address.formatted(encoded(query)))).get("series");
    assertThat(series).as(query).hasSize(1);
    return series.at("/0/value").asDouble();
  }

  private static double sum(String address, String query) throws Exception {
    JsonNode series =
        new ObjectMapper().readTree(get(address.formatted(encoded(query)))).get("series");
    assertThat(series).as(query).hasSize(1);
    assertThat(series.at("/0/labels/0/value/stringValue").asText()).isEqualTo("orders");
    double sum = 0;
    for (JsonNode sample : series.at("/0/samples")) {
      sum += sample.path("value").asDouble();
    }
    return sum;
  }

  private static void assertCounted(String what, double ratePerSecond, long count) {
    assertThat(ratePerSecond * RATE_SECONDS)
        .as(what)
        .isBetween(count * 0.999, count * EXTRAPOLATED);
  }

  private static <V> V of(Map<String, V> values, String key) {
    V value = values.get(key);
    if (value == null) {
      throw new AssertionError("no " + key + " in " + values);
    }
    return value;
  }

  private static double only(List<Sample> samples) {
    assertThat(samples).hasSize(1);
    return samples.getFirst().value();
  }

  private static Map<String, Double> by(List<Sample> samples, String label) {
    Map<String, Double> values = new TreeMap<>();
    samples.forEach(
        each -> values.merge(each.labels().getOrDefault(label, ""), each.value(), Double::sum));
    return values;
  }

  private static List<Sample> samples(PrometheusServer prometheus, String expression) {
    try {
      List<Sample> samples = new ArrayList<>();
      for (JsonNode each : prometheus.get("query?query=" + encoded(expression)).path("result")) {
        Map<String, String> labels = new TreeMap<>();
        each.get("metric")
            .properties()
            .forEach(label -> labels.put(label.getKey(), label.getValue().asText()));
        samples.add(new Sample(labels, each.at("/value/1").asDouble()));
      }
      return samples;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, UTF_8);
  }

  private static String get(String address) throws IOException, InterruptedException {
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      HttpResponse<String> response =
          client.send(
              HttpRequest.newBuilder(URI.create(address)).build(),
              HttpResponse.BodyHandlers.ofString());
      assertThat(response.statusCode()).as("%s: %s", address, response.body()).isEqualTo(200);
      return response.body();
    }
  }

  private static JsonNode dashboard(String name) throws IOException {
    return new ObjectMapper()
        .readTree(Path.of("..", "grafana-dashboards", "dashboards", name + ".json").toFile());
  }

  /// PromQL expressions by panel and number.
  private static Map<String, String> expressions() throws IOException {
    Map<String, String> expressions = new TreeMap<>();
    for (JsonNode panel : dashboard("health").get("panels")) {
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
