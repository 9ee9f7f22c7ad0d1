package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.SpanStore;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `headspan sampling` on a real store: two traces of tenant acme and two of tenant bravo that
/// ended a minute ago, one of each failed, and one of acme that ended two hours ago.
final class SamplingCommandIT {
  private static final byte FAILED = 2;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static Path policies;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void storeTraces() throws Exception {
    process = StoreProcess.start(directory.resolve("store"));
    Instant lately = Instant.now().minus(Duration.ofMinutes(1));
    SpanBatch.Builder builder = new SpanBatch.Builder();
    trace(builder, 0xa1, "acme", lately, true);
    trace(builder, 0xa2, "acme", lately, false);
    trace(builder, 0xb1, "bravo", lately, true);
    trace(builder, 0xb2, "bravo", lately, false);
    trace(builder, 0xc1, "acme", lately.minus(Duration.ofHours(2)), true);
    try (SpanStore store = SpanStore.connect(process.address())) {
      store.migrate();
      store.insert(builder.build(), "traces", Tier.RECENT);
    }
    policies =
        Files.writeString(
            directory.resolve("policies.yaml"),
            """
            policies:
              - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
              - name: bravo
                type: string_attribute
                string_attribute: {key: headspan.tenant, values: [bravo]}
            """);
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @Test
  void saysWhatWouldBeKeptByPolicyAndTenant() {
    assertThat(run("test", policies.toString())).describedAs(err.toString()).isZero();

    assertThat(out.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
        .anyMatch(line -> line.startsWith("all 4 3 8 6 "))
        .anyMatch(line -> line.startsWith("tenant acme 2 1 4 2 "))
        .anyMatch(line -> line.startsWith("tenant bravo 2 2 4 4 "))
        .anyMatch(line -> line.startsWith("policy errors 2 4 "))
        .anyMatch(line -> line.startsWith("policy bravo 2 4 "));
  }

  @Test
  void looksAsFarBackAsAsked() {
    assertThat(run("test", policies.toString(), "--window", "3h")).isZero();
    assertThat(out.toString().replaceAll(" +", " ")).contains("tenant acme 3 2 6 4 ");
  }

  @Test
  void saysWhenItLooksAtAPart() {
    assertThat(run("test", policies.toString(), "--max-traces", "2")).isZero();
    assertThat(out.toString()).startsWith("2 of 4 traces looked at");
  }

  @Test
  void explainsATrace() {
    assertThat(run("explain", "b2", "--policies", policies.toString())).isZero();
    assertThat(out.toString())
        .startsWith("kept: 2 spans, about ")
        .containsPattern("policy errors +leave it to others")
        .containsPattern("policy bravo +keep it");
  }

  @Test
  void explainsATraceThatIsNotKept() {
    assertThat(run("explain", "a2", "--policies", policies.toString())).isZero();
    assertThat(out.toString()).startsWith("not kept: 2 spans");
  }

  @Test
  void keepsAfterTheFactWhatAFilterFinds() {
    String[] keep = {
      "keep",
      "--from",
      "3h",
      "--where",
      "{ status = error }",
      "--store",
      process.address().toString()
    };

    assertThat(execute(keep)).describedAs(err.toString()).isZero();
    assertThat(execute(keep)).isZero();

    assertThat(out.toString())
        .contains("3 traces found, 3 of them kept now", "3 traces found, 0 of them kept now");
    assertThat(run("explain", "a1")).isZero();
    assertThat(out.toString())
        .contains("on 2 spans: kept by headspan keep, counting nothing in metrics");
    assertThat(run("explain", "a2")).isZero();
    assertThat(out.toString()).contains("no decision");
  }

  @Test
  void aTimeThatIsNoneIsOneClearError() {
    assertThat(execute("keep", "--from", "noon")).isEqualTo(2);
    assertThat(err.toString()).contains("bad time: option=--from, value=noon");
  }

  @Test
  void aTraceThatIsNotThereIsOneClearError() {
    assertThat(run("explain", "dead", "--policies", policies.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("no such trace: id=dead").doesNotContain("\tat ");
  }

  @Test
  void whatIsNoTraceIdIsOneClearError() {
    assertThat(run("explain", "xyz", "--policies", policies.toString())).isEqualTo(1);
    assertThat(err.toString()).contains("no trace id: id=xyz").doesNotContain("\tat ");
  }

  /// A root with a child.
  private static void trace(
      SpanBatch.Builder builder, long id, String tenant, Instant end, boolean failed) {
    long endNs = TimeUnit.SECONDS.toNanos(end.getEpochSecond());
    Utf8Table table = builder.table();
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(resource, table.intern("headspan.tenant"), AttributeType.STRING, table.intern(tenant));
    int scope = builder.addScope(resource);
    for (long number = 1; number <= 2; number++) {
      int span = builder.addSpan(scope);
      builder.traceIdLow(span, id);
      builder.spanId(span, id * 16 + number);
      builder.parentSpanId(span, number == 1 ? 0 : id * 16 + 1);
      builder.startNs(span, endNs - 1_000_000);
      builder.durationNs(span, 1_000_000);
      builder.name(span, table.intern("GET /"));
      builder.statusCode(span, failed ? FAILED : 0);
    }
  }

  private int run(String command, String... arguments) {
    String[] line = new String[arguments.length + 4];
    line[0] = "sampling";
    line[1] = command;
    System.arraycopy(arguments, 0, line, 2, arguments.length);
    line[arguments.length + 2] = "--store";
    line[arguments.length + 3] = process.address().toString();
    return execute(line);
  }

  private int execute(String... line) {
    return Headspan.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(line);
  }
}
