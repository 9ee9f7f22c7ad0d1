package io.headspan.agent.log;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/// Logs failures that may repeat: one line for each, with the messages of its causes instead of
/// stack traces, and for each kind of failure at most one line in an interval. The next line of a
/// kind says how many were left out. At level DEBUG every failure is logged with its stack trace.
///
/// For any thread.
public final class FailureLog {
  /// How often one kind of failure is told.
  public static final Duration INTERVAL = Duration.ofMinutes(1);

  private static final int KINDS_MAX = 256;
  private static final int CAUSES_MAX = 5;

  private final Logger log;
  private final LongSupplier nanoTime;
  private final Object lock = new Object();
  private final Map<String, Kind> kinds = new HashMap<>();

  private static final class Kind {
    long toldNs;
    long leftOut;
  }

  /// Logs to `log`.
  public FailureLog(Logger log) {
    this(log, System::nanoTime);
  }

  FailureLog(Logger log, LongSupplier nanoTime) {
    this.log = log;
    this.nanoTime = nanoTime;
  }

  /// Logs a failure that the agent goes on after.
  ///
  /// @param what failed, the same for all failures of a kind
  /// @param where it failed, `key=value`; "" if there is nothing to say
  public void warn(String what, String where, Throwable failure) {
    log(Level.WARN, what, where, failure);
  }

  /// Logs a failure of something else than this process, of which there is no exception.
  ///
  /// @param what failed, the same for all failures of a kind
  /// @param where and why it failed, `key=value`
  public void warn(String what, String where) {
    log(Level.WARN, what, where, null);
  }

  /// Logs a failure that costs the user something.
  ///
  /// @param what failed, the same for all failures of a kind
  /// @param where it failed, `key=value`; "" if there is nothing to say
  public void error(String what, String where, Throwable failure) {
    log(Level.ERROR, what, where, failure);
  }

  private void log(Level level, String what, String where, @Nullable Throwable failure) {
    log.debug("{}: {}", what, where, failure);
    long leftOut = leftOut(what);
    if (leftOut >= 0) {
      log.atLevel(level)
          .log(
              "{}: {}{}{}",
              what,
              where.isEmpty() || failure == null ? where : where + ", ",
              failure == null ? "" : reason(failure),
              leftOut == 0 ? "" : " (" + leftOut + " more like it since the last such line)");
    }
  }

  /// How many failures of this kind were not told since the last one that was; -1 if this one is
  /// not to be told.
  private long leftOut(String what) {
    long nowNs = nanoTime.getAsLong();
    synchronized (lock) {
      Kind kind = kinds.get(what);
      if (kind == null) {
        if (kinds.size() >= KINDS_MAX) {
          kinds.clear(); // kinds are few; whoever made many of them does not get to fill memory
        }
        kind = new Kind();
        kinds.put(what, kind);
      } else if (nowNs - kind.toldNs < INTERVAL.toNanos()) {
        kind.leftOut++;
        return -1;
      }
      kind.toldNs = nowNs;
      long leftOut = kind.leftOut;
      kind.leftOut = 0;
      return leftOut;
    }
  }

  /// A failure and its causes in one line, each message once.
  static String reason(Throwable failure) {
    StringBuilder reason = new StringBuilder();
    Throwable cause = failure;
    for (int i = 0; cause != null && i < CAUSES_MAX; i++) {
      String message = cause.getMessage();
      String text =
          message == null || message.isBlank()
              ? cause.getClass().getSimpleName()
              : isPlain(cause) ? message : cause.getClass().getSimpleName() + ": " + message;
      String line = text.replaceAll("\\s+", " ").strip();
      if (reason.indexOf(line) < 0) {
        reason.append(reason.isEmpty() ? "" : "; because: ").append(line);
      }
      cause = cause.getCause();
    }
    return reason.toString();
  }

  /// Our own messages say what failed; those of others need the kind of exception to be understood,
  /// as a FileSystemException's is nothing but the file.
  private static boolean isPlain(Throwable failure) {
    return failure.getClass().getName().startsWith("io.headspan.")
        || failure.getClass().equals(java.io.IOException.class);
  }
}
