package io.headspan.query.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {
  @TempDir private Path directory;

  private Path written() throws IOException {
    Path file = directory.resolve("audit");
    for (int start = 0; start < 2; start++) {
      try (AuditLog log = AuditLog.open(file)) {
        for (int i = 0; i < 3; i++) {
          log.add(AuditLogTest::record);
        }
      }
    }
    return file;
  }

  private static AuditRecord record(long number) {
    return new AuditRecord(
        number,
        Instant.ofEpochSecond(number),
        "grafana",
        "::1",
        "GET",
        "/api/search",
        "q={\"hash\":\"\n\"}",
        "acme",
        200,
        3);
  }

  @Test
  void goesOnWhereItEnded() throws IOException {
    AuditLog.Verdict verdict = AuditLog.verify(written());
    assertThat(verdict.problem()).isEmpty();
    assertThat(verdict.lines()).isEqualTo(6);
  }

  @Test
  void noticesEveryChangeOfALine() throws IOException {
    Path file = written();
    List<String> lines = Files.readAllLines(file);
    for (int line = 0; line < lines.size(); line++) {
      List<String> changed = new ArrayList<>(lines);
      changed.set(line, lines.get(line).replace("grafana", "someone"));
      assertProblem(file, changed, line, "changed");
      List<String> shorter = new ArrayList<>(lines);
      shorter.remove(line);
      if (line < lines.size() - 1) {
        assertProblem(file, shorter, line, "the line before was changed, removed or put in");
      }
      List<String> longer = new ArrayList<>(lines);
      longer.add(line, lines.get(line));
      assertProblem(file, longer, line + 1, "the line before was changed, removed or put in");
      List<String> broken = new ArrayList<>(lines);
      broken.set(line, "");
      assertProblem(file, broken, line, "not a line of an audit log");
    }
  }

  private static void assertProblem(Path file, List<String> lines, int good, String problem)
      throws IOException {
    Files.write(file, lines);
    AuditLog.Verdict verdict = AuditLog.verify(file);
    assertThat(verdict.problem()).hasValueSatisfying(text -> assertThat(text).contains(problem));
    assertThat(verdict.lines()).isEqualTo(good);
  }

  /// Of a log that was cut off or written anew, the last hash tells.
  @Test
  void hasAnotherLastHashOnceCutOff() throws IOException {
    Path file = written();
    String last = AuditLog.verify(file).last();
    List<String> lines = Files.readAllLines(file);
    Files.write(file, lines.subList(0, 5));
    assertThat(AuditLog.verify(file).last()).isNotEqualTo(last);
  }

  @Test
  void isNotContinuedOnceTamperedWith() throws IOException {
    Path file = written();
    Files.writeString(file, Files.readString(file).replaceFirst("grafana", "someone"));
    assertThatThrownBy(() -> AuditLog.open(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the line was changed: line=1")
        .hasMessageContaining("headspan audit verify");
  }
}
