package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Interference.Cell;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `headspan neighbours` on a matrix as agents send it: most of it is own load.
final class NeighboursCommandIT {
  private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
  private static final long MS = 1_000_000;

  @TempDir private static Path directory;
  private static StoreProcess process;
  private static QueryApi api;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void start() {
    process = StoreProcess.start(directory.resolve("store"));
    try (SpanStore store = SpanStore.connect(process.address())) {
      store.migrate();
      for (int i = 0; i < 2; i++) {
        List<Cell> cells = new ArrayList<>();
        cells.add(new Cell("acme", "bravo", (30 - 10 * i) * MS, 7));
        cells.add(new Cell("acme", "acme", 400 * MS, 90));
        cells.add(new Cell("bravo", "bravo", 900 * MS, 90));
        cells.add(new Cell("acme", "{idle}", 50 * MS, 900));
        if (i == 1) {
          for (int other = 1; other <= 6; other++) {
            cells.add(new Cell("a-tenant-" + other, "{host}", other * MS, 1));
          }
        }
        store.insert(
            new NodeReport(
                "agent",
                "boot",
                i,
                "host",
                TimeUnit.SECONDS.toNanos(NOON.getEpochSecond() + 10 + i * 60L),
                TimeUnit.SECONDS.toNanos(10),
                new NodeSignal.Interference(cells)),
            "matrix-" + i);
      }
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

  private int run(String... more) {
    List<String> line =
        new ArrayList<>(
            List.of("neighbours", "--query", "127.0.0.1:" + api.port(), "--from", NOON.toString()));
    line.addAll(List.of("--to", NOON.plusSeconds(120).toString()));
    line.addAll(List.of(more));
    return Headspan.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(line.toArray(String[]::new));
  }

  @Test
  void namesNobodyForOwnLoad() {
    assertThat(run()).as(err.toString()).isZero();
    assertThat(out.toString())
        .containsPattern("acme +bravo +50.0 +14")
        .contains("most robbed: acme (50.0 ms); biggest culprit: bravo (50.0 ms)")
        .contains("apart: acme waited 800.0 ms behind own load, 100.0 ms for idle processors")
        .contains("apart: bravo waited 1800.0 ms behind own load, 0.0 ms for idle processors")
        .doesNotContainPattern("acme +acme")
        .doesNotContain("{idle}");
  }

  @Test
  void printsWhoWaitedForWhomOverTime() {
    assertThat(run("--step", "1m")).as(err.toString()).isZero();
    assertThat(out.toString())
        .endsWith(
            """
            ms waited in each 60 s
            victim                      acme  a-tenant-6  a-tenant-5  a-tenant-4  a-tenant-3  a-tenant-2         all
            culprit                    bravo      {host}      {host}      {host}      {host}      {host}      others
            2026-11-20T12:00:00Z        30.0           -           -           -           -           -           -
            2026-11-20T12:01:00Z        20.0         6.0         5.0         4.0         3.0         2.0         1.0
            """);
  }

  @Test
  void saysThatNobodyElseTookAnything() {
    assertThat(run("--victim", "bravo")).as(err.toString()).isZero();
    assertThat(out.toString())
        .isEqualTo(
            """
            nobody waited for anybody else
            apart: bravo waited 1800.0 ms behind own load, 0.0 ms for idle processors
            """);
  }

  @Test
  void refusesAStepThatIsNone() {
    assertThat(run("--step", "x")).isEqualTo(1);
    assertThat(err.toString()).contains("step").doesNotContain("\tat ");
  }
}
