package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.io.File;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Chains of three containers, whatever their services do with the context: every trace that is
/// read back is exactly the tree of what happened.
@Tag("privileged")
final class ChainBpfIT {
  private static final String TENANT = "chain";
  private static final int REQUESTS = 60;
  private static final Duration STORED_WITHIN = Duration.ofSeconds(30);
  private static final long FIRST_TRACE = 0x1000;
  private static final long SENDER = 0xc11e47;

  /// What happened behind each request of a chain without SDK, a line per span: its name below that
  /// of its parent.
  private static final List<String> PLAIN_TREE =
      List.of(
          "SERVER front < sender",
          "CLIENT front < SERVER front",
          "SERVER middle < CLIENT front",
          "CLIENT middle < SERVER middle",
          "SERVER back < CLIENT middle");

  private static final List<String> SDK_TREE =
      List.of(
          "SERVER front < sender",
          "INTERNAL front < SERVER front",
          "CLIENT front < INTERNAL front",
          "SERVER middle < CLIENT front",
          "INTERNAL middle < SERVER middle",
          "CLIENT middle < INTERNAL middle",
          "SERVER back < CLIENT middle",
          "INTERNAL back < SERVER back");

  private static final int INTERNAL_SPANS = 3;

  private static final String[] BY_OWN_THREAD = {"--threads", "8", "--calls", "own-thread"};

  private static final Pattern SDK_FILES =
      Pattern.compile("/(opentelemetry-|okhttp|okio|kotlin)[^/]*\\.jar$|/test-classes/?$");

  @TempDir private Path directory;

  @Test
  void isATreeWhereServicesForwardTheHeaderUnchanged() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer back = plain("back", true, null);
        RuncContainer middle = plain("middle", true, back);
        RuncContainer front = plain("front", true, middle)) {
      send(front, 8);
      assertTrees(node, PLAIN_TREE, trace -> trace.size() == PLAIN_TREE.size());
      assertCounts(node);
    }
  }

  /// Without any header in between, who called is known where one request is served at a time.
  @Test
  void isATreeWhereServicesSendNoHeader() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer back = plain("back", false, null);
        RuncContainer middle = plain("middle", false, back);
        RuncContainer front = plain("front", false, middle)) {
      send(front, 1);
      assertTrees(node, PLAIN_TREE, trace -> trace.size() == PLAIN_TREE.size());
      assertCounts(node);
    }
  }

  /// Many at a time: who called is known where the thread that serves makes the calls, too.
  @Test
  void isATreeWhereServicesSendNoHeaderAndServeManyAtOnce() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer back = plain("back", false, null);
        RuncContainer middle = plain("middle", false, back, BY_OWN_THREAD);
        RuncContainer front = plain("front", false, middle, BY_OWN_THREAD)) {
      send(front, 8);
      assertTrees(node, PLAIN_TREE, trace -> trace.size() == PLAIN_TREE.size());
      assertCounts(node);
    }
  }

  @Test
  void isOneTreeOfBothWhereServicesHaveAnSdk() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer back = instrumented(node, "back", null);
        RuncContainer middle = instrumented(node, "middle", back);
        RuncContainer front = instrumented(node, "front", middle)) {
      send(front, 8);
      // Every SERVER and CLIENT span has the SDK's attributes and the agent's account.
      assertTrees(node, SDK_TREE, ChainBpfIT::isJoined);
      assertCounts(node);
    }
  }

  /// The first SDK begins the trace, and its call tells the agent which: one request at a time.
  @Test
  void isOneTreeOfBothWhereTheFirstRequestHasNoHeader() throws Exception {
    try (HeadspanNode node = HeadspanNode.start(directory);
        RuncContainer back = instrumented(node, "back", null);
        RuncContainer middle = instrumented(node, "middle", back);
        RuncContainer front = instrumented(node, "front", middle)) {
      List<String> traces = sendWithoutHeader(front);
      Set<String> expected = new TreeSet<>(SDK_TREE);
      expected.remove("SERVER front < sender");
      expected.add("SERVER front < none");
      for (String id : traces) {
        long high = HexFormat.fromHexDigitsToLong(id, 0, 16);
        long low = HexFormat.fromHexDigitsToLong(id, 16, 32);
        SpanBatch trace = awaitTrace(node, high, low, ChainBpfIT::isJoined);
        assertThat(tree(trace))
            .as(() -> id + ", agent: " + node.agentMetrics())
            .isEqualTo(expected);
        assertThat(trace.size()).isEqualTo(SDK_TREE.size());
      }
      assertThat(new HashSet<>(tracesStored(node))).isEqualTo(new HashSet<>(traces));
      assertCounts(node);
    }
  }

  private static RuncContainer plain(
      String function, boolean forwards, @Nullable RuncContainer next, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of("--host", "127.0.0.1", "--port", "0", "--forward", Boolean.toString(forwards)));
    if (next != null) {
      arguments.addAll(List.of("--next", url(next)));
    }
    arguments.addAll(List.of(more));
    return RuncContainer.startHttpService(
        RuncContainer.httpService(id(function), arguments).asFunction(TENANT, function, "1"));
  }

  private static RuncContainer instrumented(
      HeadspanNode node, String function, @Nullable RuncContainer next) {
    Path java = Path.of(System.getProperty("java.home"));
    // The SDK with what its exporter needs, and this module's own classes.
    List<Path> classes =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(entry -> SDK_FILES.matcher(entry).find())
            .map(Path::of)
            .toList();
    List<String> command =
        new ArrayList<>(
            List.of(
                java.resolve("bin/java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx128m",
                "-cp",
                String.join(File.pathSeparator, classes.stream().map(Path::toString).toList()),
                SdkService.class.getName(),
                TENANT,
                function,
                node.collectorAddress()));
    if (next != null) {
      command.add(url(next));
    }
    ContainerSpec spec = ContainerSpec.of(id(function), command).withReadOnlyMount(java);
    for (Path each : classes) {
      spec = spec.withReadOnlyMount(each);
    }
    return RuncContainer.startHttpService(spec.asFunction(TENANT, function, "1"));
  }

  private static String id(String function) {
    return "headspan-chain-" + function + "-" + ProcessHandle.current().pid();
  }

  private static String url(RuncContainer container) {
    return "http://127.0.0.1:" + container.readyLine().substring("ready on ".length()) + "/run";
  }

  private static void send(RuncContainer front, int atOnce) throws Exception {
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        ExecutorService threads = Executors.newFixedThreadPool(atOnce)) {
      List<Future<Integer>> answers = new ArrayList<>();
      for (int i = 0; i < REQUESTS; i++) {
        HttpRequest request =
            HttpRequest.newBuilder(URI.create(url(front)))
                .header("traceparent", "00-%032x-%016x-01".formatted(FIRST_TRACE + i, SENDER))
                .POST(HttpRequest.BodyPublishers.noBody())
                .build();
        answers.add(
            threads.submit(
                () -> client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode()));
      }
      for (Future<Integer> answer : answers) {
        assertThat(answer.get()).isEqualTo(200);
      }
    }
  }

  /// Sends one request after the other, and gives the traces that the SDK began.
  private static List<String> sendWithoutHeader(RuncContainer front) throws Exception {
    List<String> traces = new ArrayList<>();
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      for (int i = 0; i < REQUESTS; i++) {
        HttpResponse<Void> answer =
            client.send(
                HttpRequest.newBuilder(URI.create(url(front)))
                    .POST(HttpRequest.BodyPublishers.noBody())
                    .build(),
                HttpResponse.BodyHandlers.discarding());
        assertThat(answer.statusCode()).isEqualTo(200);
        traces.add(answer.headers().firstValue("x-trace-id").orElseThrow());
      }
    }
    return traces;
  }

  private static List<String> tracesStored(HeadspanNode node) {
    return node.query(
        SqlQuery.of(
                "SELECT DISTINCT lower(hex(trace_id)) FROM spans WHERE tenant = {tenant:String}")
            .bind("tenant", TENANT),
        row -> row.text(0));
  }

  /// @param isWhole whether all that will come of a trace has come
  private static void assertTrees(
      HeadspanNode node, List<String> expected, Predicate<SpanBatch> isWhole) throws Exception {
    for (int i = 0; i < REQUESTS; i++) {
      SpanBatch trace = awaitTrace(node, 0, FIRST_TRACE + i, isWhole);
      String whichAndWhy =
          isWhole.test(trace) ? "trace " + i : "trace " + i + ", agent: " + node.agentMetrics();
      assertThat(tree(trace)).as(whichAndWhy).isEqualTo(new TreeSet<>(expected));
      assertThat(trace.size()).isEqualTo(expected.size());
    }
  }

  private static SpanBatch awaitTrace(
      HeadspanNode node, long traceHigh, long traceLow, Predicate<SpanBatch> isWhole) {
    long deadlineNs = System.nanoTime() + STORED_WITHIN.toNanos();
    SpanBatch trace = node.trace(traceHigh, traceLow);
    while (!isWhole.test(trace) && System.nanoTime() - deadlineNs < 0) {
      LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
      trace = node.trace(traceHigh, traceLow);
    }
    return trace;
  }

  /// Whether the SDKs' spans are there, and the agent's of every request among them.
  private static boolean isJoined(SpanBatch trace) {
    int joined = 0;
    for (int row = 0; row < trace.size(); row++) {
      List<String> keys = keys(trace, row);
      joined += keys.contains("headspan.span_id") ? 1 : 0;
      if (trace.kind(row) == 2 && !keys.contains("app.secret")) {
        return false;
      }
    }
    return joined == SDK_TREE.size() - INTERNAL_SPANS;
  }

  private static Set<String> tree(SpanBatch trace) {
    Map<Long, String> names = new HashMap<>();
    names.put(SENDER, "sender");
    names.put(0L, "none");
    for (int row = 0; row < trace.size(); row++) {
      names.put(trace.spanId(row), name(trace, row));
    }
    Set<String> tree = new TreeSet<>();
    for (int row = 0; row < trace.size(); row++) {
      tree.add(name(trace, row) + " < " + names.get(trace.parentSpanId(row)));
    }
    return tree;
  }

  private static String name(SpanBatch trace, int row) {
    String kind =
        switch (trace.kind(row)) {
          case 2 -> "SERVER";
          case 3 -> "CLIENT";
          default -> "INTERNAL";
        };
    int resource = trace.scopeResource(trace.scope(row));
    Attributes attributes = trace.resourceAttributes();
    for (int i = attributes.begin(resource); i < attributes.end(resource); i++) {
      if (attributes.type(i) == AttributeType.STRING
          && trace.text(attributes.key(i)).equals("service.name")) {
        return kind + " " + trace.text((int) attributes.value(i));
      }
    }
    return kind;
  }

  private static List<String> keys(SpanBatch trace, int row) {
    List<String> keys = new ArrayList<>();
    Attributes attributes = trace.spanAttributes();
    for (int i = attributes.begin(row); i < attributes.end(row); i++) {
      keys.add(trace.text(attributes.key(i)));
    }
    return keys;
  }

  /// Every invocation is counted once, whoever told of it.
  private static void assertCounts(HeadspanNode node) throws Exception {
    Map<String, Long> counts = new HashMap<>();
    for (JsonNode function : new ObjectMapper().readTree(node.functions()).get("functions")) {
      if (function.get("tenant").asText().equals(TENANT)) {
        counts.merge(function.get("service").asText(), function.get("count").asLong(), Long::sum);
      }
    }
    assertThat(counts)
        .isEqualTo(
            Map.of("front", (long) REQUESTS, "middle", (long) REQUESTS, "back", (long) REQUESTS));
  }
}
