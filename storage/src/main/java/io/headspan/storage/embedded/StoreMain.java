package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the embedded store until SIGTERM or SIGINT, and exits with 0 then.
///
/// On stdout it says `headspan store ready: address=…` once it serves. With
/// `HEADSPAN_STORE_EXIT_WITH_STDIN=true` it also ends when its stdin does, so that a store started
/// for another process goes when that one dies, however it dies.
public final class StoreMain {
  static final String READY = "headspan store ready: address=";
  static final String EXIT_WITH_STDIN = EmbeddedStoreConfig.PREFIX + "EXIT_WITH_STDIN";

  private static final Logger LOG = LoggerFactory.getLogger(StoreMain.class);
  private static final int EXIT_FAILED = 1;

  private StoreMain() {}

  public static void main(String[] args) throws InterruptedException {
    int exitCode = run(System.getenv());
    if (exitCode != 0) {
      System.exit(exitCode);
    }
  }

  /// Serves until the process is told to stop.
  ///
  /// @return the exit code if the store could not start; the reason is on stderr
  static int run(Map<String, String> environment) throws InterruptedException {
    Map<String, String> settings = new HashMap<>(environment);
    boolean exitWithStdin = "true".equals(settings.remove(EXIT_WITH_STDIN));
    EmbeddedStore store;
    try {
      store = EmbeddedStore.start(EmbeddedStoreConfig.from(settings));
    } catch (StoreException | IllegalArgumentException e) {
      System.err.println(e.getMessage());
      return EXIT_FAILED;
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(store), "store-shutdown"));
    System.out.println(READY + store.address());
    System.out.flush();
    if (exitWithStdin) {
      Thread.ofPlatform().daemon().name("store-stdin").start(StoreMain::exitAtEndOfStdin);
    }
    new CountDownLatch(1).await();
    return 0;
  }

  /// The hook ends the process by itself: a JVM ended by a signal would exit with 128 plus the
  /// signal's number, but being told to stop is no failure of the store.
  private static void stop(EmbeddedStore store) {
    int exitCode = 0;
    try {
      var lingering = store.stop();
      LOG.debug("Store stopped: serverStopped={}", lingering.isDone());
    } catch (RuntimeException e) {
      System.err.println("store did not stop cleanly: " + e.getMessage());
      exitCode = EXIT_FAILED;
    }
    System.out.flush();
    System.err.flush();
    LibChdb.exitProcess(exitCode);
  }

  private static void exitAtEndOfStdin() {
    try (InputStream stdin = System.in) {
      long skipped = stdin.transferTo(java.io.OutputStream.nullOutputStream());
      System.err.println("store stops, its parent has gone: stdinBytes=" + skipped);
    } catch (IOException e) {
      System.err.println("store stops, its stdin broke: " + e.getMessage());
    }
    System.exit(0);
  }
}
