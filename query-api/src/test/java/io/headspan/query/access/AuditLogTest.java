package io.headspan.query.access;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {
  private static final Clock CLOCK =
      Clock.fixed(Instant.parse("2026-11-22T12:00:00Z"), ZoneOffset.UTC);

  @TempDir private Path directory;

  /// Two times three requests, and that it was closed.
  private Path written() throws IOException {
    Path file = directory.resolve("audit");
    for (int start = 0; start < 2; start++) {
      try (AuditLog log = AuditLog.open(file, CLOCK)) {
        for (int i = 0; i < 3; i++) {
          log.add(record(i));
        }
      }
    }
    return file;
  }

  private static AuditRecord record(long second) {
    return new AuditRecord(
        Instant.ofEpochSecond(second),
        "grafana",
        "::1",
        "GET",
        "/api/search",
        "q={\"hash\":\"ü\n\"}",
        "acme",
        200,
        3);
  }

  private static AuditLog.Verdict verify(Path file) throws IOException {
    return AuditLog.verify(file, "");
  }

  @Test
  void goesOnWhereItEnded() throws IOException {
    Path file = written();
    AuditLog.Verdict verdict = verify(file);
    assertThat(verdict.problem()).isEmpty();
    assertThat(verdict.gaps()).isEmpty();
    assertThat(verdict.lines()).isEqualTo(8);
    assertThat(Files.readAllLines(file).get(3)).contains("\"event\":\"closed\"");
  }

  @Test
  void noticesEveryChangeOfALine() throws IOException {
    Path file = written();
    List<String> lines = Files.readAllLines(file);
    for (int line = 0; line < lines.size(); line++) {
      List<String> changed = new ArrayList<>(lines);
      changed.set(line, lines.get(line).replace("Z\"", "z\""));
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
    AuditLog.Verdict verdict = verify(file);
    assertThat(verdict.problem()).hasValueSatisfying(text -> assertThat(text).contains(problem));
    assertThat(verdict.lines()).isEqualTo(good);
  }

  /// Of a log that was cut off or written anew, the last hash tells.
  @Test
  void hasAnotherLastHashOnceCutOff() throws IOException {
    Path file = written();
    String last = verify(file).last();
    List<String> lines = Files.readAllLines(file);
    Files.write(file, lines.subList(0, 5));
    assertThat(verify(file).last()).isNotEqualTo(last);
    assertThat(AuditLog.verify(file, last).hasExpected()).isFalse();
  }

  @Test
  void isNotContinuedOnceTamperedWith() throws IOException {
    Path file = written();
    Files.writeString(file, Files.readString(file).replaceFirst("grafana", "someone"));
    assertNotContinued(file, "the line was changed: line=1");
  }

  private static void assertNotContinued(Path file, String problem) throws IOException {
    byte[] before = Files.readAllBytes(file);
    assertThatThrownBy(() -> AuditLog.open(file, CLOCK))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(problem)
        .hasMessageContaining("headspan audit verify");
    assertThat(Files.readAllBytes(file)).isEqualTo(before);
  }

  /// Wherever a write or somebody's hand stopped (at every end, and every so many bytes): nothing
  /// is lost of what is left, the log goes on, and that its end was cut off stays in it.
  @Test
  void goesOnAfterEveryCutAndSaysSo() throws IOException {
    byte[] whole = Files.readAllBytes(written());
    List<Integer> ends = new ArrayList<>();
    for (int at = 0; at < whole.length; at++) {
      if (whole[at] == '\n') {
        ends.add(at + 1);
      }
    }
    for (int size = 1; size < whole.length; size++) {
      int around = size;
      if (size % 101 != 0 && ends.stream().noneMatch(end -> Math.abs(end - around) <= 1)) {
        continue;
      }
      Path file = Files.createDirectory(directory.resolve("cut-" + size)).resolve("audit");
      Files.write(file, Arrays.copyOf(whole, size));
      // A line without its end is whole, but for the end.
      int lines = (int) ends.stream().filter(end -> end - 1 <= around).count();
      int begin = lines == 0 ? 0 : ends.get(lines - 1);
      try (AuditLog log = AuditLog.open(file, CLOCK)) {
        log.add(record(7));
      }
      boolean closedBefore = begin >= size && (lines == 4 || lines == 8);
      AuditLog.Verdict verdict = verify(file);
      assertThat(verdict.problem()).as("cut at %d", size).isEmpty();
      assertThat(verdict.lines()).isEqualTo(lines + (closedBefore ? 2 : 3));
      assertThat(verdict.gaps()).as("cut at %d", size).hasSize(closedBefore ? 0 : 1);
      if (begin < size) {
        assertThat(verdict.gaps().getFirst())
            .contains("after line " + lines + ",", torn(file).getFileName().toString());
        assertThat(Files.readAllBytes(torn(file)))
            .isEqualTo(Arrays.copyOfRange(whole, begin, size));
      } else {
        assertThat(file.getParent()).isDirectoryNotContaining("glob:**.torn-*");
      }
    }
  }

  private static Path torn(Path file) throws IOException {
    try (Stream<Path> files = Files.list(file.getParent())) {
      return files.filter(each -> each.toString().contains(".torn-")).findFirst().orElseThrow();
    }
  }

  @Test
  void cutOffLineIsAProblemUntilTheLogIsOpened() throws IOException {
    Path file = written();
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 20));
    assertThat(verify(file).problem())
        .hasValueSatisfying(text -> assertThat(text).contains("cut off after", "line=8"));
  }

  /// An end that no interrupted write leaves.
  @Test
  void isNotContinuedBehindWhatIsNoLine() throws IOException {
    Path file = written();
    String whole = Files.readString(file);
    for (String end : List.of("{\"n\":10,\"time", "{\"n\":9,\"time\":\n", "token", "\0\0x")) {
      Files.writeString(file, whole + end);
      assertNotContinued(file, "not a line of an audit log: line=9");
    }
    Path other = Files.writeString(directory.resolve("other"), "root:x:0:0");
    assertNotContinued(other, "not a line of an audit log: line=1");
  }

  /// What a file system may leave of a line that it had made room for.
  @Test
  void goesOnBehindZeros() throws IOException {
    Path file = written();
    Files.write(file, (Files.readString(file) + "\0".repeat(100)).getBytes(UTF_8));
    AuditLog.open(file, CLOCK).close();
    assertThat(verify(file).problem()).isEmpty();
    assertThat(verify(file).gaps()).hasSize(1);
  }

  /// Cut off again while it was being put right: the first piece is the one that counts.
  @Test
  void goesOnAfterACutInTheLineAboutACut() throws IOException {
    Path file = written();
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 20));
    AuditLog.open(file, CLOCK).close();
    byte[] mended = Files.readAllBytes(file);
    byte[] torn = Files.readAllBytes(torn(file));
    int closedBytes = Files.readAllLines(file).getLast().getBytes(UTF_8).length + 1;
    int good = whole.length - 20 - torn.length;
    for (int size = good; size < mended.length - closedBytes - 1; size += 20) {
      Files.write(file, Arrays.copyOf(mended, size));
      AuditLog.open(file, CLOCK).close();
      AuditLog.Verdict verdict = verify(file);
      assertThat(verdict.problem()).isEmpty();
      assertThat(verdict.lines()).isEqualTo(9);
      assertThat(verdict.gaps()).hasSize(1).first().asString().contains(".torn-8-");
      assertThat(Files.readAllBytes(torn(file))).isEqualTo(torn);
    }
  }

  @Test
  void isOfOneProcessAlone() throws IOException {
    Path file = directory.resolve("audit");
    try (AuditLog log = AuditLog.open(file, CLOCK)) {
      log.add(record(1));
      assertThatThrownBy(() -> AuditLog.open(file, CLOCK))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("the audit log is in use");
    }
    assertThat(verify(file).problem()).isEmpty();
  }

  /// An interrupted thread must not close the file for all others.
  @Test
  void outlivesInterruptedThreads() throws Exception {
    Path file = directory.resolve("audit");
    try (AuditLog log = AuditLog.open(file, CLOCK)) {
      Thread interrupted =
          Thread.ofPlatform()
              .start(() -> {
                Thread.currentThread().interrupt();
                log.add(record(1));
              });
      interrupted.join();
      log.add(record(2));
      assertThat(log.refuses()).isFalse();
    }
    assertThat(verify(file).lines()).isEqualTo(3);
  }

  /// A process that writes as fast as it can, killed: every line that it had written is there.
  @Test
  void hasEveryLineOfAKilledProcess() throws Exception {
    Path file = directory.resolve("audit");
    for (int round = 1; round <= 3; round++) {
      Process process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  AuditingProcess.class.getName(),
                  file.toString())
              .redirectErrorStream(true)
              .start();
      long before = round == 1 ? 0 : verify(file).lines();
      long said = 0;
      try (var out = process.inputReader()) {
        while (said < 200L * round) {
          said = Long.parseLong(out.readLine());
        }
        process.destroyForcibly().waitFor();
      }
      try (AuditLog log = AuditLog.open(file, CLOCK)) {
        assertThat(log.refuses()).isFalse();
      }
      AuditLog.Verdict verdict = verify(file);
      assertThat(verdict.problem()).isEmpty();
      assertThat(verdict.gaps()).hasSize(round);
      assertThat(verdict.lines()).isGreaterThanOrEqualTo(before + said + 2);
    }
    try (Stream<String> lines = Files.lines(file)) {
      assertThat(lines.filter(line -> line.contains("\"event\":\"unclosed\""))).hasSize(3);
    }
  }

  /// Says after each line how many there are.
  static final class AuditingProcess {
    private AuditingProcess() {}

    public static void main(String[] arguments) throws IOException {
      AuditLog log = AuditLog.open(Path.of(arguments[0]), CLOCK);
      for (long lines = 1; ; lines++) {
        log.add(record(lines));
        System.out.println(lines);
      }
    }
  }
}
