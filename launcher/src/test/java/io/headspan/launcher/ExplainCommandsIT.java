package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `headspan explain`, `compare`, `critical-path` and `neighbours` against a real query API: a
/// function of which tenant bravo took 30 ms per invocation in the last minutes, and nobody before.
final class ExplainCommandsIT {
  private static final int INVOCATIONS = 60;
  private static final long MS = 1_000_000;
  private static final byte SERVER = 2;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static QueryApi api;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void start() {
    process = StoreProcess.start(directory.resolve("store"));
    long nowNs = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis());
    SpanBatch.Builder builder = new SpanBatch.Builder();
    for (int i = 0; i < INVOCATIONS; i++) {
      invocation(builder, 1 + i, nowNs - TimeUnit.MINUTES.toNanos(20), 5 * MS, 0);
      invocation(builder, 1000 + i, nowNs - TimeUnit.MINUTES.toNanos(5), 35 * MS, 30 * MS);
    }
    try (SpanStore store = SpanStore.connect(process.address())) {
      store.migrate();
      store.insert(builder.build(), "invocations");
      store.insert(
          new NodeReport(
              "agent",
              "boot",
              1,
              "host",
              nowNs - TimeUnit.MINUTES.toNanos(1),
              TimeUnit.SECONDS.toNanos(10),
              new NodeSignal.Interference(
                  List.of(new NodeSignal.Interference.Cell("acme", "bravo", 30 * MS, 7)))),
          "matrix");
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
    api.close();
    process.close();
  }

  private static void invocation(
      SpanBatch.Builder builder, long id, long startNs, long durationNs, long stolenNs) {
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    Map.of("headspan.tenant", "acme", "service.name", "shop", "headspan.runtime", "container")
        .forEach((key, value) ->
            builder
                .resourceAttributes()
                .add(resource, table.intern(key), AttributeType.STRING, table.intern(value)));
    int span = builder.addSpan(builder.addScope(resource));
    builder.traceIdLow(span, id);
    builder.spanId(span, id);
    builder.startNs(span, startNs + id * MS);
    builder.durationNs(span, durationNs);
    builder.kind(span, SERVER);
    builder.name(span, table.intern("GET /"));
    Map.of("cpu", 5 * MS, "queue", 0L, "stolen", stolenNs, "throttled", 0L, "blocked", 0L)
        .forEach((key, ns) ->
            builder
                .spanAttributes()
                .add(span, table.intern("headspan." + key + "_ns"), AttributeType.INT, ns));
    if (stolenNs > 0) {
      builder
          .spanAttributes()
          .add(span, table.intern("headspan.culprit"), AttributeType.STRING, table.intern("bravo"));
      builder
          .spanAttributes()
          .add(span, table.intern("headspan.culprit_ns"), AttributeType.INT, stolenNs);
    }
  }

  private int run(String... arguments) {
    String[] line = new String[arguments.length + 2];
    System.arraycopy(arguments, 0, line, 0, arguments.length);
    line[arguments.length] = "--query";
    line[arguments.length + 1] = "127.0.0.1:" + api.port();
    return Headspan.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(line);
  }

  @Test
  void explains() {
    assertThat(run("explain", "shop")).as(err.toString()).isZero();
    assertThat(out.toString())
        .startsWith(
            "The mean latency of shop is 35 ms, 30 ms more than in the 15 min before: 100 % of the rise is CPU time"
                + " taken by tenant bravo; without tenant bravo the mean latency would be 5.0 ms or less.")
        .containsPattern(
            "CPU time taken by tenant bravo +30.00 +0.00 +30.00 +30.00 to 30.00 +100 %")
        .contains("without bravo: mean 5.0 ms or less (5.0 to 5.0), now 35.0 ms")
        .contains("p99: insufficient evidence");
  }

  @Test
  void printsTheAnswerAsItIs() {
    assertThat(run("explain", "shop", "--json")).as(err.toString()).isZero();
    assertThat(out.toString()).startsWith("{").contains("\"culprit\" : \"bravo\"");
  }

  @Test
  void compares() {
    assertThat(run("compare", "shop")).as(err.toString()).isZero();
    assertThat(out.toString().replaceAll(" +", " "))
        .contains("all now 60 0 35.00 35.00 5.00 0.00 30.00 0.00 0.00")
        .contains("baseline 60 0 5.00 5.00 5.00 0.00 0.00 0.00 0.00")
        .contains("GET / now 60");
  }

  @Test
  void walksTheCriticalPath() {
    assertThat(run("critical-path", "3e8")).as(err.toString()).isZero();
    assertThat(out.toString()).startsWith("35.00 ms").contains("stolen 30.00 by bravo");
    assertThat(run("critical-path", "../x")).isEqualTo(2);
    assertThat(run("critical-path", "dead")).isEqualTo(1);
    assertThat(err.toString()).contains("trace not found").doesNotContain("\tat ");
  }

  @Test
  void namesTheNeighbours() {
    assertThat(run("neighbours")).as(err.toString()).isZero();
    assertThat(out.toString())
        .containsPattern("acme +bravo +30.0 +7")
        .contains("most robbed: acme (30.0 ms); biggest culprit: bravo (30.0 ms)");
  }
}
