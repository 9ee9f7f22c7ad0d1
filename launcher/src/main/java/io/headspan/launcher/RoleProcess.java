package io.headspan.launcher;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A role running in a child process: this same program with another subcommand. The child ends
/// when this process does, however it ends. Closing asks it to end by SIGTERM and kills it only
/// when it does not.
public final class RoleProcess implements AutoCloseable {
  private static final String OPTIONS = "HEADSPAN_JAVA_OPTIONS_";
  private static final Pattern BLANKS = Pattern.compile("\\s+");

  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final long CLOSE_SECONDS = 30;
  private static final int LOG_LINES = 200;

  private final String role;
  private final Process process;
  private final Deque<String> log = new ArrayDeque<>();
  private final CompletableFuture<String> ready = new CompletableFuture<>();

  private RoleProcess(String role, Process process) {
    this.role = role;
    this.process = process;
    Thread.ofPlatform().daemon().name("output-" + role).start(this::readOutput);
  }

  /// Starts `headspan ROLE ARGUMENTS…` and waits until it is ready.
  ///
  /// @param environment variables to set for the child, beside this process's own
  /// @throws LauncherException with the child's last output, if it ends or is not ready within a
  ///   minute
  public static RoleProcess start(
      String role, Map<String, String> environment, String... arguments) {
    RoleProcess child = launch(role, environment, arguments);
    try {
      child.ready.get(START_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      return child;
    } catch (ExecutionException | TimeoutException e) {
      String failure = child.failure();
      child.kill();
      throw new LauncherException(failure, e);
    } catch (InterruptedException e) {
      child.kill();
      Thread.currentThread().interrupt();
      throw new LauncherException("interrupted while starting a role: role=" + role, e);
    }
  }

  private static RoleProcess launch(
      String role, Map<String, String> environment, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + File.separator + "bin" + File.separator + "java");
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow"));
    command.addAll(jvmArguments(role));
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Headspan.class.getName(),
            role,
            "--with-parent"));
    command.addAll(Arrays.asList(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    try {
      return new RoleProcess(role, builder.start());
    } catch (IOException e) {
      throw new LauncherException("role not started: role=" + role + ", " + e.getMessage(), e);
    }
  }

  /// How the JVM of a role is run: what the resource `ROLE.args` says, one argument a line; if
  /// there is none, what becomes most roles. Then what the user adds, in the environment variable
  /// `HEADSPAN_JAVA_OPTIONS_ROLE`.
  public static List<String> jvmArguments(String role) {
    return jvmArguments(role, System.getenv(OPTIONS + role.toUpperCase(Locale.ROOT)));
  }

  /// @param given by the user
  static List<String> jvmArguments(String role, @Nullable String given) {
    List<String> arguments = new ArrayList<>(ownJvmArguments(role));
    if (given != null) {
      BLANKS.splitAsStream(given).filter(each -> !each.isEmpty()).forEach(arguments::add);
    }
    return arguments;
  }

  private static List<String> ownJvmArguments(String role) {
    try (InputStream stream = RoleProcess.class.getResourceAsStream(role + ".args")) {
      if (stream == null) {
        return List.of("-XX:+UseSerialGC");
      }
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.isBlank() && !line.startsWith("#"))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the JVM arguments: role=" + role, e);
    }
  }

  /// Where the role listens, `host:port`.
  public String address() {
    return ready.join();
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /// The last lines that the role printed.
  public String output() {
    synchronized (log) {
      return String.join("\n", log);
    }
  }

  /// Ends the role as SIGKILL does, at once, and waits until it is gone.
  public void kill() {
    process.destroyForcibly();
    awaitEnd();
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new LauncherException(
            "role did not end within %d s and was killed: role=%s, output:%n%s"
                .formatted(CLOSE_SECONDS, role, output()));
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private void awaitEnd() {
    try {
      if (!process.waitFor(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        throw new LauncherException("killed role is still there: role=" + role + ", pid=" + pid());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// What to tell the user: the role's own one-line message where it gave one, else its last
  /// output.
  private String failure() {
    String prefix = "headspan " + role + ": ";
    synchronized (log) {
      for (String line : log) {
        if (line.startsWith(prefix)) {
          return role + ": " + line.substring(prefix.length());
        }
      }
    }
    return process.isAlive()
        ? "role not ready within %d s: role=%s, output:%n%s"
            .formatted(START_TIMEOUT.toSeconds(), role, output())
        : "role ended at its start: role=%s, exit code=%d, output:%n%s"
            .formatted(role, process.exitValue(), output());
  }

  private void readOutput() {
    String readyPrefix = RoleCommand.readyLine(role, "");
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        synchronized (log) {
          if (log.size() == LOG_LINES) {
            log.removeFirst();
          }
          log.addLast(line);
        }
        if (line.startsWith(readyPrefix)) {
          ready.complete(line.substring(readyPrefix.length()));
        }
      }
      // Its output has ended; what it ended with is known a moment later.
      awaitEnd();
      ready.completeExceptionally(new LauncherException("the role ended: role=" + role));
    } catch (IOException e) {
      ready.completeExceptionally(e);
    }
  }
}
