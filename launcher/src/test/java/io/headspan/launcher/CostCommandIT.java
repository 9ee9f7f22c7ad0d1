package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.LogBatch;
import io.headspan.wire.SignalOrigin;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TypedAttribute;
import io.headspan.wire.TypedValue;
import io.headspan.wire.Utf8Table;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `headspan cost` for September 2026, of which the invocations and logs are known: `pay` of tenant
/// acme and team checkout, two instances of half a GiB; `search` of tenant bravo, of which nobody
/// said more.
final class CostCommandIT {
  private static final Instant NOON = Instant.parse("2026-09-14T12:00:10Z");
  private static final long US = 1_000;
  private static final byte SERVER = 2;
  private static final byte CLIENT = 3;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static QueryApi api;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void storeUsage() throws Exception {
    process = StoreProcess.start(directory.resolve("store"));
    try (SpanStore store = SpanStore.connect(process.address())) {
      store.migrate();
      Spans spans = new Spans();
      int first = spans.resource("acme", "checkout", "pay", "container", "a");
      int second = spans.resource("acme", "checkout", "pay", "container", "b");
      // 10.2, 0.5 and 150 ms: 11, 1 and 150 whole ones.
      spans.add(first, SERVER, NOON, 10_200, 2_000);
      spans.add(first, SERVER, NOON, 500, 400);
      spans.add(second, SERVER, NOON, 150_000, 100_000);
      spans.add(second, SERVER, NOON.plusSeconds(300), 100_000, 50_000);
      // No invocation is billed for its calls, nor twice because an SDK tells of it too.
      spans.add(first, CLIENT, NOON, 5_000, 0);
      int sdk = spans.resource("acme", "checkout", "pay", "", "");
      for (int i = 0; i < 3; i++) {
        spans.add(sdk, SERVER, NOON, 150_000, 0);
      }
      int search = spans.resource("bravo", "", "search", "wasm", "");
      spans.add(search, SERVER, NOON.minusSeconds(86_400), 1_000_000, 900_000);
      spans.add(search, SERVER, Instant.parse("2026-10-01T00:00:00Z"), 1_000_000, 900_000);
      store.insert(spans.builder.build(), "spans");
      store.insert(
          new LogBatch(List.of(log("acme", "pay", "paid"), log("acme", "idle", "up"))), "logs");
    }
    api =
        QueryApi.start(
            QueryConfig.from(
                Map.of(
                    "HEADSPAN_QUERY_LISTEN",
                    "127.0.0.1:0",
                    "HEADSPAN_QUERY_STORE",
                    process.address().toString())));
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
    process.close();
  }

  @Test
  void tellsWhatWasUsedByDayAndFunction() {
    JsonNode usage =
        new QueryClient("127.0.0.1:" + api.port())
            .json("/api/headspan/v1/usage?from=2026-09-01T00:00:00Z&to=2026-09-30T23:59:59Z")
            .path("usage");

    assertThat(usage).hasSize(3);
    JsonNode search = usage.path(0);
    assertThat(search.path("day").asText()).isEqualTo("2026-09-13");
    assertThat(search.path("invocations").asLong()).isEqualTo(1);
    assertThat(search.path("memoryBytes").asLong()).isZero();
    JsonNode idle = usage.path(1);
    assertThat(idle.path("service").asText()).isEqualTo("idle");
    assertThat(idle.path("invocations").asLong()).isZero();
    // Body and attributes: "up" and "v".
    assertThat(idle.path("logBytes").asLong()).isEqualTo(3);
    JsonNode pay = usage.path(2);
    assertThat(pay.path("day").asText()).isEqualTo("2026-09-14");
    assertThat(pay.path("tenant").asText()).isEqualTo("acme");
    assertThat(pay.path("team").asText()).isEqualTo("checkout");
    assertThat(pay.path("runtime").asText()).isEqualTo("container");
    assertThat(pay.path("memoryBytes").asLong()).isEqualTo(512L << 20);
    assertThat(pay.path("invocations").asLong()).isEqualTo(4);
    assertThat(pay.path("durationSeconds").asDouble()).isEqualTo(0.2607);
    assertThat(pay.path("billedMs").asLong()).isEqualTo(11 + 1 + 150 + 100);
    assertThat(pay.path("billed100Ms").asLong()).isEqualTo(100 + 100 + 200 + 100);
    assertThat(pay.path("cpuSeconds").asDouble()).isEqualTo(0.1524);
    // Both at noon, one five minutes later.
    assertThat(pay.path("instanceMinutes").asLong()).isEqualTo(3);
    assertThat(pay.path("logBytes").asLong()).isEqualTo(5);
  }

  @Test
  void comparesModels() {
    assertThat(run("--month", "2026-09", "--model", "lambda-x86,workers", "--csv"))
        .describedAs(err.toString())
        .isZero();

    double lambda = 0.262 * 0.5 * 0.0000166667 + 4 / 1e6 * 0.20;
    double workers = 152.4 / 1e6 * 0.02 + 4 / 1e6 * 0.30;
    assertThat(out.toString().lines())
        .hasSize(4)
        .startsWith(
            "tenant,function,invocations,duration_s,cpu_s,instance_minutes,log_bytes,lambda-x86_USD,workers_USD")
        .contains("acme,pay,4,0.260700,0.152400,3,5,%.6f,%.6f".formatted(lambda, workers));
  }

  @Test
  void groupsAsAsked() {
    assertThat(run("--month", "2026-09", "--by", "team")).describedAs(err.toString()).isZero();

    assertThat(out.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
        .anyMatch(
            line -> line.startsWith("team invocations CPU s instance min logs GiB lambda-x86"))
        .anyMatch(line -> line.startsWith("checkout 4 0.2 3 "))
        .anyMatch(line -> line.startsWith("(none) 1 0.9 1 "))
        .anyMatch(line -> line.startsWith("all 5 1.1 4 "));
  }

  @Test
  void tellsOfATeamOverItsBudget() throws Exception {
    Path prices =
        Files.writeString(
            directory.resolve("prices.yaml"),
            """
            models:
              - {name: request, per_million_requests: 1000000}
            budgets:
              - {team: checkout, model: request, month: 3}
              - {team: other, model: request, month: 3}
            """);

    assertThat(run("--month", "2026-09", "--prices", prices.toString())).isEqualTo(3);
    assertThat(out.toString())
        .contains("team checkout: OVER: 4.00 of 3.00 USD spent")
        .contains("team other: within its budget: 0.00 of 3.00 USD spent");
  }

  @Test
  void aModelThatIsNotThereIsOneClearError() {
    assertThat(run("--model", "gratis")).isEqualTo(1);
    assertThat(err.toString()).contains("no such price model: gratis, known=lambda-x86,");
  }

  private int run(String... arguments) {
    String[] line = new String[arguments.length + 3];
    line[0] = "cost";
    System.arraycopy(arguments, 0, line, 1, arguments.length);
    line[arguments.length + 1] = "--query";
    line[arguments.length + 2] = "127.0.0.1:" + api.port();
    return Headspan.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(line);
  }

  private static LogBatch.Entry log(String tenant, String service, String body) {
    SignalOrigin origin =
        new SignalOrigin(
            List.of(
                new TypedAttribute("headspan.tenant", new TypedValue(AttributeType.STRING, tenant)),
                new TypedAttribute(
                    "headspan.runtime", new TypedValue(AttributeType.STRING, "container")),
                new TypedAttribute("service.name", new TypedValue(AttributeType.STRING, service)),
                new TypedAttribute("service.version", new TypedValue(AttributeType.STRING, "7"))),
            "",
            "",
            "",
            List.of(),
            "");
    return new LogBatch.Entry(
        origin,
        TimeUnit.SECONDS.toNanos(NOON.getEpochSecond()),
        0,
        0,
        0,
        0,
        0,
        (byte) 9,
        "INFO",
        "",
        new TypedValue(AttributeType.STRING, body),
        List.of(new TypedAttribute("k", new TypedValue(AttributeType.STRING, "v"))),
        0);
  }

  /// Builds the spans of the test.
  private static final class Spans {
    final SpanBatch.Builder builder = new SpanBatch.Builder();
    private final Utf8Table table = builder.table();
    private long lastId;

    /// A scope of a new resource; what is "" is left out.
    int resource(String tenant, String team, String service, String runtime, String instance) {
      int resource = builder.addResource();
      text(resource, "headspan.tenant", tenant);
      text(resource, "headspan.team", team);
      text(resource, "service.name", service);
      text(resource, "service.version", "7");
      text(resource, "headspan.runtime", runtime);
      text(resource, "faas.instance", instance);
      if (!instance.isEmpty()) {
        builder
            .resourceAttributes()
            .add(resource, table.intern("faas.max_memory"), AttributeType.INT, 512L << 20);
      }
      return builder.addScope(resource);
    }

    void add(int scope, byte kind, Instant start, long durationUs, long cpuUs) {
      int span = builder.addSpan(scope);
      builder.traceIdLow(span, ++lastId);
      builder.spanId(span, lastId);
      builder.startNs(span, TimeUnit.SECONDS.toNanos(start.getEpochSecond()));
      builder.durationNs(span, durationUs * US);
      builder.kind(span, kind);
      builder.name(span, table.intern("GET /"));
      if (cpuUs > 0) {
        builder
            .spanAttributes()
            .add(span, table.intern("headspan.cpu_ns"), AttributeType.INT, cpuUs * US);
      }
    }

    private void text(int resource, String key, String value) {
      if (!value.isEmpty()) {
        builder
            .resourceAttributes()
            .add(resource, table.intern(key), AttributeType.STRING, table.intern(value));
      }
    }
  }
}
