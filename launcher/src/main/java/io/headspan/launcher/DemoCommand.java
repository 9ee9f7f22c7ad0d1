package io.headspan.launcher;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `headspan demo`. Everything it starts is gone when it ends, also after Ctrl-C.
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Start every role, two chained containers, one alone and a Wasm function; send them traffic; show what was captured.",
      "Keeps running until Ctrl-C."
    },
    footer = {
      "",
      "Exit codes: 0 every sent invocation was found, once, with its right parent; 1 some were not, or a part failed;",
      "2 wrong usage; 3 capture is off here (no root or no BPF), the rest was shown; 130 interrupted."
    })
public final class DemoCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;
  private static final long CLOSE_SECONDS = 60;

  @Option(
      names = "--for",
      paramLabel = "DURATION",
      converter = DurationConverter.class,
      description = "End by itself after this long, e.g. 20s.")
  private @Nullable Duration runFor;

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      defaultValue = "127.0.0.1:3200",
      description =
          "Where the query API listens, for Grafana (default ${DEFAULT-VALUE}); the other roles take free ports.")
  private String listen = "127.0.0.1:3200";

  @Option(
      names = "--store",
      paramLabel = "URL",
      description =
          "ClickHouse to use instead of the embedded engine: a server, or a cluster (docs/deployment.md).")
  private @Nullable String store;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Keep the embedded engine's data here (default: a temporary directory).")
  private @Nullable Path data;

  @Option(
      names = "--rate",
      paramLabel = "N",
      defaultValue = "40",
      description = "Requests per second (default ${DEFAULT-VALUE}).")
  private int requestsPerSecond = 40;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    if (requestsPerSecond < 1 || requestsPerSecond > 1_000) {
      throw new ParameterException(
          spec.commandLine(), "--rate out of range: rate=" + requestsPerSecond + " (1 to 1000)");
    }
    CountDownLatch end = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    Thread main = Thread.currentThread();
    // Ctrl-C runs this hook; the JVM ends when it returns, so it waits until everything is closed.
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  boolean running = closed.getCount() > 0;
                  end.countDown();
                  if (running) {
                    main.interrupt();
                  }
                  awaitClosed(closed);
                },
                "shutdown"));
    PrintWriter out = spec.commandLine().getOut();
    try {
      return run(out, end);
    } catch (InterruptedException e) {
      return INTERRUPTED;
    } catch (LauncherException e) {
      if (end.getCount() == 0) {
        // Whatever failed while the demo was being ended failed because of that.
        return INTERRUPTED;
      }
      throw e;
    } finally {
      closed.countDown();
    }
  }

  private int run(PrintWriter out, CountDownLatch end) throws InterruptedException {
    DemoOptions options =
        new DemoOptions(
            Optional.ofNullable(runFor),
            listen,
            Optional.ofNullable(store),
            Optional.ofNullable(data),
            requestsPerSecond);
    DemoStack stack =
        DemoStack.start(
            options,
            line -> {
              out.println("[demo] " + line);
              out.flush();
            });
    try {
      return new Demo(options, out, end).run(stack);
    } finally {
      closeUninterrupted(stack);
    }
  }

  /// Closes on a thread of its own, because Ctrl-C interrupts this one and closing has to wait for
  /// things.
  private static void closeUninterrupted(DemoStack stack) {
    LauncherException[] failure = new LauncherException[1];
    Thread closer =
        Thread.ofPlatform()
            .name("demo-close")
            .start(() -> {
              try {
                stack.close();
              } catch (LauncherException e) {
                failure[0] = e;
              }
            });
    boolean interrupted = false;
    while (true) {
      try {
        closer.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (failure[0] != null) {
      throw failure[0];
    }
  }

  private static void awaitClosed(CountDownLatch closed) {
    try {
      if (!closed.await(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("headspan demo: not closed within " + CLOSE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
