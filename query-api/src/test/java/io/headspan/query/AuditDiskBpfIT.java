package io.headspan.query;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.access.AuditLog;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An audit log on a small file system of its own that runs full. No store is asked.
@Tag("privileged")
class AuditDiskBpfIT {
  private static final Duration WITHIN = Duration.ofSeconds(30);
  private static final String LONG = "x".repeat(900);

  @TempDir private Path directory;
  private Path disk;

  @BeforeEach
  void mount() throws Exception {
    disk = Files.createDirectory(directory.resolve("disk"));
    run("mount", "-t", "tmpfs", "-o", "size=64k", "headspan-test", disk.toString());
  }

  @AfterEach
  void unmount() throws Exception {
    run("umount", disk.toString());
  }

  @Test
  void answersNothingThatItCannotWriteDown() throws Exception {
    Path audit = disk.resolve("audit");
    Path ballast = Files.write(disk.resolve("ballast"), new byte[40 << 10]);
    int answered = 0;
    int refused = 0;
    try (QueryApi api = start(audit);
        HttpClient client = HttpClient.newHttpClient()) {
      HttpResponse<byte[]> answer = echo(client, api);
      while (answer.statusCode() == 200) {
        answered++;
        assertThat(answered).as("answers until the disk is full").isLessThan(1_000);
        answer = echo(client, api);
      }
      for (int i = 0; i < 20; i++) {
        refused++;
        assertThat(answer.statusCode()).isEqualTo(503);
        assertThat(TestHttp.text(answer)).contains("the audit log cannot be written");
        answer = echo(client, api);
      }
      refused++;
      // What a failed write left is cut off again: all that is there is whole.
      assertThat(AuditLog.verify(audit, "").problem()).isEmpty();

      Files.delete(ballast);
      long deadlineNs = System.nanoTime() + WITHIN.toNanos();
      answer = echo(client, api);
      while (answer.statusCode() != 200) {
        refused++;
        assertThat(System.nanoTime() - deadlineNs).as("still refused").isNegative();
        LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
        answer = echo(client, api);
      }
      answered++;
    }
    AuditLog.Verdict verdict = AuditLog.verify(audit, "");
    assertThat(verdict.problem()).isEmpty();
    assertThat(verdict.gaps()).isEmpty();
    assertThat(verdict.refused()).isEqualTo(refused);
    int written = 0;
    for (String line : Files.readAllLines(audit)) {
      JsonNode record = new ObjectMapper().readTree(line);
      written += record.path("status").asInt() == 200 ? 1 : 0;
    }
    assertThat(written).as("answers in the log").isEqualTo(answered);
  }

  @Test
  void startsAgainBehindAFullDisk() throws Exception {
    Path audit = disk.resolve("audit");
    Files.write(disk.resolve("ballast"), new byte[40 << 10]);
    try (QueryApi api = start(audit);
        HttpClient client = HttpClient.newHttpClient()) {
      while (echo(client, api).statusCode() == 200) {
        assertThat(Files.size(audit)).isLessThan(64 << 10);
      }
    }
    // It could not even write that it was closed.
    Files.delete(disk.resolve("ballast"));
    try (QueryApi api = start(audit);
        HttpClient client = HttpClient.newHttpClient()) {
      assertThat(echo(client, api).statusCode()).isEqualTo(200);
    }
    AuditLog.Verdict verdict = AuditLog.verify(audit, "");
    assertThat(verdict.problem()).isEmpty();
    assertThat(verdict.gaps()).hasSize(1);
  }

  private static QueryApi start(Path audit) {
    return QueryApi.start(
        QueryConfig.from(
            Map.of(
                "HEADSPAN_QUERY_LISTEN",
                "127.0.0.1:0",
                "HEADSPAN_QUERY_STORE",
                "http://127.0.0.1:1",
                "HEADSPAN_QUERY_AUDIT",
                audit.toString())));
  }

  private static HttpResponse<byte[]> echo(HttpClient client, QueryApi api) throws Exception {
    return TestHttp.get(client, api.port(), "/api/echo?" + LONG, "*/*");
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("%s: %s", String.join(" ", command), output).isZero();
  }
}
