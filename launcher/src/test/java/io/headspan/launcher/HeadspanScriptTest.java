package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The script `headspan` without sources, as it is installed, with a Java that tells how it was
/// started.
class HeadspanScriptTest {
  private static final Path PROJECT = Path.of("..");

  /// CAP_BPF, CAP_PERFMON, CAP_SYS_NICE, CAP_SYS_PTRACE, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH.
  private static final long OF_THE_AGENT =
      (1L << 39) | (1L << 38) | (1L << 23) | (1L << 19) | (1L << 12) | (1L << 2);

  private static final String BOUNDS = "CapBnd:";
  private static final String STATUS = "/proc/thread-self/status";

  @TempDir private Path directory;
  private Path java;

  @BeforeEach
  void install() throws IOException {
    Files.createDirectories(directory.resolve("launcher/bin"));
    for (String each : List.of("headspan", "launcher/bin/setup.sh")) {
      Files.copy(PROJECT.resolve(each), directory.resolve(each));
    }
    java = directory.resolve("jdk");
    Files.createDirectories(java.resolve("bin"));
    Files.writeString(java.resolve("release"), "JAVA_VERSION=\"25\"\n");
    program("java", "echo \"$@\"; grep " + BOUNDS + " /proc/self/status");
    program("javac", "exit 1");
  }

  @Test
  void startsTheAgentWithTheCapabilitiesThatItHasAUseFor() throws Exception {
    assumeTrue(
        System.getProperty("user.name").equals("root"), "only root has capabilities to lay down");
    assumeTrue(
        (bounds(Files.readString(Path.of(STATUS))) & (1L << 8)) != 0,
        "CAP_SETPCAP is missing: nothing can be laid down");
    String started = run("agent", "--listen", "127.0.0.1:0");
    assertThat(started).contains("io.headspan.launcher.Headspan agent --listen 127.0.0.1:0");
    assertThat(bounds(started) & ~OF_THE_AGENT).isZero();
    assertThat(bounds(started)).isNotZero();
  }

  @Test
  void startsOtherRolesAsTheyAre() throws Exception {
    String started = run("collector");
    assertThat(started).contains("io.headspan.launcher.Headspan collector");
    assertThat(bounds(started)).isEqualTo(bounds(Files.readString(Path.of(STATUS))));
  }

  private static long bounds(String text) {
    return text.lines()
        .filter(line -> line.startsWith(BOUNDS))
        .map(line -> Long.parseUnsignedLong(line.substring(BOUNDS.length()).strip(), 16))
        .findFirst()
        .orElseThrow(() -> new AssertionError(text));
  }

  private void program(String name, String script) throws IOException {
    Path file = java.resolve("bin").resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private String run(String... arguments) throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(directory.resolve("headspan").toString()).redirectErrorStream(true);
    builder.command().addAll(List.of(arguments));
    builder.environment().putAll(Map.of("JAVA_HOME", java.toString()));
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }
}
