package io.headspan.wire.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Files put together from pieces of YAML and noise: whatever comes, reading ends, and gives either
/// settings within their limits or one message. `-Dheadspan.fuzz.seconds` sets the time.
class SettingsFuzzTest {
  private static final List<String> PIECES =
      List.of(
          "listen",
          ": ",
          ":",
          "\n",
          "\n  ",
          "\n- ",
          "- ",
          "[",
          "]",
          "{",
          "}",
          ", ",
          "127.0.0.1:80",
          "[::1]:0",
          "99999",
          "5",
          "10s",
          "rules",
          "match",
          "tenant",
          "&a ",
          "*a",
          "<<",
          "|\n",
          ">\n",
          "\"",
          "'",
          "#",
          "~",
          "null",
          "true",
          "!!binary ",
          "? ",
          "---",
          "...",
          "%YAML 1.2",
          "\t",
          "wait",
          "number",
          "ports",
          "${label:x}",
          "\u0000",
          "\ufeff",
          "é");

  @TempDir private Path directory;

  @Test
  void givesSettingsOrOneMessage() throws IOException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long endNs =
        System.nanoTime() + Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1)).toNanos();
    Path file = directory.resolve("x.yaml");
    int read = 0;
    int refused = 0;
    while (System.nanoTime() - endNs < 0) {
      String text = text(random);
      String about = "seed=" + seed + ", text=" + text;
      Files.writeString(file, text);
      boolean inVariable = random.nextInt(4) == 0;
      SettingSources sources =
          SettingSources.of(
              inVariable
                  ? Map.of("HEADSPAN_X_RULES", text, "HEADSPAN_X_LISTEN", text)
                  : Map.of("HEADSPAN_X_CONFIG", file.toString()));
      try {
        Settings settings = Settings.of("x", sources);
        HostPort listen = settings.hostPort("listen", new HostPort("h", 1));
        assertThat(listen.port()).as(about).isBetween(0, HostPort.PORT_MAX);
        assertThat(settings.duration("wait", Duration.ZERO))
            .as(about)
            .isGreaterThanOrEqualTo(Duration.ZERO);
        assertThat(settings.number("number", 1, 0, 9)).as(about).isBetween(0, 9);
        assertThat(settings.numbers("ports", Set.of(), 1, 9)).as(about).allMatch(p -> p < 10);
        for (Section rule : settings.sections("rules")) {
          assertThat(rule.text("tenant").orElse("x")).as(about).isNotBlank();
          rule.section("match").ifPresent(match -> match.texts("labels"));
        }
        settings.finish("X", IllegalArgumentException::new);
        read++;
      } catch (IllegalArgumentException e) {
        assertThat(e).as(about).hasMessageStartingWith("X's settings are wrong: ");
        refused++;
      }
    }
    assertThat(read).isPositive();
    assertThat(refused).isPositive();
  }

  private static String text(Random random) {
    StringBuilder text = new StringBuilder();
    int pieces = random.nextInt(25);
    for (int i = 0; i < pieces; i++) {
      text.append(PIECES.get(random.nextInt(PIECES.size())));
      if (random.nextInt(10) == 0) {
        text.append((char) random.nextInt(1, 0xd7ff));
      }
    }
    return text.toString();
  }
}
