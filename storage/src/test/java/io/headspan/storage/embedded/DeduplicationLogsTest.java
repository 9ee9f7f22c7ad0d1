package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DeduplicationLogsTest {
  @TempDir private Path data;

  private Path table;
  private Path log;

  @BeforeEach
  void makeTable() throws IOException {
    table = data.resolve("store/0d8/0d892272-4e95-42dc-b1b6-5c9c35ad764f");
    log = table.resolve("deduplication_logs/deduplication_log_1.txt");
    Files.createDirectories(log.getParent());
  }

  @Test
  void forgetsABlockWithoutPart() throws IOException {
    parts("20260101_1_1_0", "tmp_insert_20260101_2_2_0");
    Files.writeString(log, "1\t20260101_1_1_0\ta\n1\t20260101_2_2_0\tb\n");

    assertThat(DeduplicationLogs.repair(data)).isEqualTo(1);

    assertThat(log).hasContent("1\t20260101_1_1_0\ta\n");
    assertThat(Files.readString(log)).endsWith("\n");
    try (Stream<Path> left = Files.list(data)) {
      assertThat(left).containsExactly(data.resolve("store"));
    }
  }

  @Test
  void knowsAMergedBlockByThePartItWentInto() throws IOException {
    parts("20260101_1_7_2", "20260102_3_3_0_9", "all_0_1_1");
    String lines =
        """
        1\t20260101_1_1_0\ta
        1\t20260101_7_7_1\tb
        1\t20260102_3_3_0\tc
        1\tall_1_1_0\td
        """;
    Files.writeString(log, lines + "1\t20260101_8_8_0\te\n1\t20260102_1_1_0\tf\n");

    assertThat(DeduplicationLogs.repair(data)).isEqualTo(2);

    assertThat(log).hasContent(lines);
  }

  @Test
  void leavesWhatIsTrueUntouched() throws IOException {
    parts("20260101_1_1_0");
    Files.writeString(log, "1\t20260101_1_1_0\ta\n2\t20260101_5_5_0\tdropped\n");
    Object file = Files.readAttributes(log, "unix:ino").get("ino");

    assertThat(DeduplicationLogs.repair(data)).isZero();

    assertThat(Files.readAttributes(log, "unix:ino").get("ino")).isEqualTo(file);
  }

  @Test
  void takesOutALineThatIsCutOff() throws IOException {
    parts("20260101_1_1_0");
    Files.writeString(log, "1\t20260101_1_1_0\ta\n1\t2026");

    assertThat(DeduplicationLogs.repair(data)).isEqualTo(1);

    assertThat(log).hasContent("1\t20260101_1_1_0\ta\n");
  }

  @Test
  void hasNothingToDoInANewDirectory() {
    assertThat(DeduplicationLogs.repair(data.resolve("new"))).isZero();
  }

  private void parts(String... names) throws IOException {
    for (String name : names) {
      Files.createDirectory(table.resolve(name));
    }
  }
}
