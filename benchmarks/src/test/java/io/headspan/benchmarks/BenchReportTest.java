package io.headspan.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.benchmarks.BenchReport.Better;
import io.headspan.benchmarks.BenchReport.Target;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchReportTest {
  @Test
  void writesFiguresAsAnArrayOfObjects(@TempDir Path directory) throws IOException {
    BenchReport report = new BenchReport("ingest");
    report.add("spans_per_s", "spans/s", Target.atLeast(150_000), 170_000, 140_000, 160_000);
    report.add("bytes", "B", Target.none(Better.LOWER), 12.5);

    Path file = report.write(directory.resolve("bench"));

    assertThat(file.getFileName()).hasToString("ingest.json");
    JsonNode figures = new ObjectMapper().readTree(file.toFile());
    assertThat(figures)
        .hasToString(
            "[{\"figure\":\"spans_per_s\",\"value\":160000.0,\"unit\":\"spans/s\","
                + "\"target\":150000.0,\"better\":\"higher\","
                + "\"runs\":[170000.0,140000.0,160000.0]},"
                + "{\"figure\":\"bytes\",\"value\":12.5,\"unit\":\"B\","
                + "\"target\":null,\"better\":\"lower\",\"runs\":[12.5]}]");
  }

  @Test
  void takesTheMedianOfAnEvenNumberOfRuns(@TempDir Path directory) throws IOException {
    BenchReport report = new BenchReport("x");
    report.add("y", "ms", Target.atMost(2), 4, 1, 2, 3);

    JsonNode figures = new ObjectMapper().readTree(report.write(directory).toFile());

    assertThat(figures.get(0).get("value").doubleValue()).isEqualTo(2.5);
  }

  @Test
  void printsTargetAndWhetherItIsMet() {
    BenchReport report = new BenchReport("ingest");
    report.add("spans_per_s", "spans/s", Target.atLeast(150_000), 151_234.5);
    report.add("cpu", "us", Target.atMost(10), 10.5);
    report.add("other", "spans/s", Target.none(Better.HIGHER), 3);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    report.print(new PrintStream(bytes, true, StandardCharsets.UTF_8));

    String[] lines = bytes.toString(StandardCharsets.UTF_8).lines().toArray(String[]::new);
    assertThat(lines).hasSize(4);
    assertThat(lines[1]).contains("spans_per_s", "151,23", ">= 150,000", "met");
    assertThat(lines[2]).contains("cpu", "10.5", "<= 10", "MISSED");
    assertThat(lines[3]).contains("other", " - ").doesNotContain("met");
  }

  @Test
  void refusesAFigureThatWasNotMeasured() {
    BenchReport report = new BenchReport("ingest");

    assertThatThrownBy(() -> report.add("a", "s", Target.atMost(1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("figure without a run: figure=a");
    assertThatThrownBy(() -> report.add("a", "s", Target.atMost(1), Double.NaN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("run is not a finite number: figure=a, run=NaN");
  }
}
