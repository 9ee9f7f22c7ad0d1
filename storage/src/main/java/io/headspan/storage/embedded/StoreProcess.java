package io.headspan.storage.embedded;

import io.headspan.storage.StoreAddress;
import io.headspan.storage.StoreException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The embedded store in a JVM of its own, so that a fault in the engine's native code does not end
/// this process. It runs this process's class path, and ends with this process, however that ends.
public final class StoreProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(StoreProcess.class);
  private static final Duration READY_LIMIT = Duration.ofSeconds(60);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(45);
  private static final int LINES_KEPT = 40;

  private final Process process;
  private final Output output;
  private final StoreAddress address;

  private StoreProcess(Process process, Output output, StoreAddress address) {
    this.process = process;
    this.output = output;
    this.address = address;
  }

  /// Starts a store on `directory` and a free loopback port, and waits until it serves.
  ///
  /// @throws StoreException with what the process said, if it does not serve within a minute
  public static StoreProcess start(Path directory) {
    return start(
        Map.of(
            EmbeddedStoreConfig.LISTEN,
            "127.0.0.1:0",
            EmbeddedStoreConfig.PATH,
            directory.toString()));
  }

  /// Starts a store configured by `settings`, variables as [EmbeddedStoreConfig] names them; the
  /// rest of the environment, but for other `HEADSPAN_STORE_` variables, is this process's own.
  public static StoreProcess start(Map<String, String> settings) {
    ProcessBuilder builder = new ProcessBuilder(command());
    builder.environment().keySet().removeIf(key -> key.startsWith(EmbeddedStoreConfig.PREFIX));
    builder.environment().putAll(settings);
    builder.environment().put(StoreMain.EXIT_WITH_STDIN, "true");
    builder.redirectErrorStream(true);
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, 0, "store process cannot be started", e);
    }
    Output output = new Output(process);
    try {
      StoreAddress address = output.ready.get(READY_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
      return new StoreProcess(process, output, address);
    } catch (TimeoutException e) {
      process.destroyForcibly();
      throw failed("store process is not ready after " + READY_LIMIT.toSeconds() + " s", output, e);
    } catch (ExecutionException e) {
      throw failed("store process ended", output, e);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw failed("interrupted while the store process started", output, e);
    }
  }

  /// Where the store serves.
  public StoreAddress address() {
    return address;
  }

  /// Process id of the store.
  public long pid() {
    return process.pid();
  }

  /// Ends the store at once, as a crash would; what it has acknowledged is on disk.
  public void kill() {
    process.destroyForcibly();
    await();
  }

  /// Tells the store to stop and waits for it; kills it if it does not within 45 s.
  @Override
  public void close() {
    stop();
  }

  /// As [#close()], and says how it ended: 0 if cleanly.
  int stop() {
    process.destroy();
    return await();
  }

  private int await() {
    try {
      if (!process.waitFor(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        LOG.warn("Store process does not stop, killing it: pid={}", process.pid());
        process.destroyForcibly();
      }
      int exitCode = process.waitFor();
      output.thread.join();
      return exitCode;
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, 0, "interrupted while the store process stopped", e);
    }
  }

  private static List<String> command() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx256m");
    command.add("-XX:+UseSerialGC");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--sun-misc-unsafe-memory-access=allow");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(StoreMain.class.getName());
    return command;
  }

  private static StoreException failed(String what, Output output, Exception cause) {
    return new StoreException(
        StoreException.Kind.UNAVAILABLE, 0, what + ": " + output.lastLines(), cause);
  }

  /// Reads what the process says, so that it never waits for a reader.
  private static final class Output {
    private final CompletableFuture<StoreAddress> ready = new CompletableFuture<>();
    private final Deque<String> lines = new ArrayDeque<>();
    private final Thread thread;

    Output(Process process) {
      thread =
          Thread.ofPlatform()
              .daemon()
              .name("store-output-" + process.pid())
              .start(() -> read(process));
    }

    String lastLines() {
      synchronized (lines) {
        return String.join("\n", lines);
      }
    }

    private void read(Process process) {
      try (BufferedReader reader =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          if (line.startsWith(StoreMain.READY)) {
            ready.complete(StoreAddress.parse(line.substring(StoreMain.READY.length())));
          }
          LOG.debug("Store process: pid={}, line={}", process.pid(), line);
          synchronized (lines) {
            if (lines.size() == LINES_KEPT) {
              lines.removeFirst();
            }
            lines.addLast(line);
          }
        }
      } catch (IOException e) {
        LOG.debug("Output of the store process broke: pid={}", process.pid(), e);
      }
      ready.completeExceptionally(new IOException("the store process has ended"));
    }
  }
}
