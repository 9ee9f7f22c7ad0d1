package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.access.Access;
import io.headspan.query.access.AccessSettings;
import io.headspan.wire.access.Tokens;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AccessCommandsTest {
  /// SHA-256 of the line without its hash was computed with sha256sum.
  private static final String BODY = "{\"n\":1,\"previous\":\"" + "0".repeat(64) + "\"";

  private static final String HASH =
      "c1336654ac22593a49b35551ffaae24bfac236125dd7bb45583ed9a7dd6b9d21";

  @TempDir private Path directory;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return Headspan.commandLine()
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }

  @Test
  void makesATokenWhoseEntryTheQueryApiTakes() throws Exception {
    assertThat(run("token", "new", "--name", "it's", "--tenant", "acme", "--tenant", "bravo"))
        .isZero();
    String token = out.toString().lines().findFirst().orElseThrow().substring("token: ".length());
    assertThat(token).hasSize(43);
    assertThat(out.toString()).contains("sha256: " + Tokens.hash(token));
    String entry = out.toString().substring(out.toString().indexOf("  - name"));
    Path file =
        Files.writeString(
            directory.resolve("tokens.yaml"),
            "pseudonym_key: a secret of the platform\ntokens:\n" + entry);
    try (Access access =
        Access.of(
            new AccessSettings(Optional.of(file), "", Optional.empty()),
            IllegalArgumentException::new)) {
      assertThat(access.pseudonyms()).isPresent();
    }
  }

  @Test
  void verifiesAnAuditLog() throws Exception {
    Path file = directory.resolve("audit");
    String line = BODY + ",\"hash\":\"" + HASH + "\"}\n";
    Files.writeString(file, line);
    assertThat(run("audit", "verify", file.toString())).as(out + "" + err).isZero();
    assertThat(out.toString()).contains("1 lines as they were written; last hash " + HASH);
    assertThat(run("audit", "verify", file.toString(), "--expect", HASH)).isZero();
    assertThat(run("audit", "verify", file.toString(), "--expect", "0".repeat(64))).isEqualTo(1);
    assertThat(out.toString()).contains("the log was cut off or written anew");
    Path cut = Files.writeString(directory.resolve("cut"), line.substring(0, 9));
    AccessSettings audited = new AccessSettings(Optional.empty(), "", Optional.of(cut));
    Access.of(audited, IllegalArgumentException::new).close();
    out.getBuffer().setLength(0);
    assertThat(run("audit", "verify", cut.toString())).isEqualTo(1);
    assertThat(out.toString()).contains("2 lines", "not closed", "after line 0, ", "cut.torn-1-");
    assertThat(run("audit", "verify", cut.toString(), "--gaps", "1")).isZero();
    Files.writeString(file, line.replace("\"n\":1", "\"n\":2"));
    assertThat(run("audit", "verify", file.toString())).isEqualTo(1);
    assertThat(out.toString()).contains("the line was changed: line=1");
    assertThat(run("audit", "verify", directory.resolve("none").toString())).isEqualTo(1);
    assertThat(err.toString()).contains("the audit log cannot be read").doesNotContain("\tat ");
  }
}
