package io.headspan.launcher;

import io.headspan.wire.config.SettingSources;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// What every subcommand that runs a role does: take the environment, lay the options over it,
/// start the role, say that it is ready, and close it when the process is told to end.
abstract class RoleCommand implements Callable<Integer> {
  private static final long CLOSE_SECONDS = 30;

  @Option(
      names = "--with-parent",
      hidden = true,
      description = "End when standard input ends, so that a child never outlives its parent.")
  private boolean withParent;

  /// A started role.
  ///
  /// @param name as in `headspan NAME`
  /// @param address where it listens, `host:port`
  /// @param closing stops it
  record Started(String name, String address, AutoCloseable closing) {}

  /// An option of the command line.
  ///
  /// @param name as it is written, `--listen`
  /// @param variable the environment variable that it overrides
  /// @param value null if it was not given
  record Given(String name, String variable, @Nullable String value) {}

  /// Starts the role with these settings.
  abstract Started start(SettingSources sources);

  /// The options that override environment variables.
  abstract List<Given> options();

  @Override
  public final Integer call() throws InterruptedException {
    SettingSources sources = SettingSources.of(System.getenv());
    for (Given option : options()) {
      if (option.value() != null) {
        sources = sources.withFlag(option.variable(), option.name(), option.value());
      }
    }
    Started started = start(sources);
    CountDownLatch end = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    // A signal runs this hook. The JVM ends when it returns, so it waits until the role has closed.
    Thread hook =
        new Thread(
            () -> {
              end.countDown();
              awaitQuietly(closed);
            },
            "shutdown");
    Runtime.getRuntime().addShutdownHook(hook);
    if (withParent) {
      Thread.ofPlatform().daemon().name("parent-watch").start(() -> awaitEndOfInput(end));
    }
    System.out.println(readyLine(started.name(), started.address()));
    System.out.flush();
    end.await();
    try {
      started.closing().close();
      return 0;
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("role not closed cleanly: " + started.name(), e);
    } finally {
      closed.countDown();
    }
  }

  /// The line a role prints when it is ready; [RoleProcess] waits for it.
  static String readyLine(String name, String address) {
    return "headspan " + name + " is ready on " + address;
  }

  static String address(String host, int port) {
    return host + ":" + port;
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      if (!latch.await(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("headspan: not closed within " + CLOSE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void awaitEndOfInput(CountDownLatch end) {
    try {
      // Whatever the parent writes means nothing; only the end of the stream does.
      System.in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      // A broken pipe says the same as its end: the parent is gone.
      System.err.println("headspan: lost the parent: " + e.getMessage());
    }
    end.countDown();
  }
}
