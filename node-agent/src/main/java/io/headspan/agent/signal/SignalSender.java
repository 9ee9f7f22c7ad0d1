package io.headspan.agent.signal;

import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.headspan.agent.export.BackOff;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.RegionAway;
import io.headspan.wire.signal.v1.NodeSignalsGrpc;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Asks the sources at a fixed interval and sends what they say, in order, each report until the
/// collector has said that it is stored. While the collector is away a bounded number is kept in
/// memory; the oldest goes first, counted. One thread of its own.
public final class SignalSender implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SignalSender.class);

  /// About an hour of three sources.
  private static final int REPORTS_MAX = 1_000;

  private static final Duration PAUSE_FIRST = Duration.ofMillis(200);
  private static final Duration PAUSE_MOST = Duration.ofSeconds(10);
  private static final Duration ASIDE_MOST = Duration.ofSeconds(30);
  private static final long CALL_SECONDS = 10;
  private static final long FAREWELL_MILLIS = 500;
  private static final long LOG_EVERY_NS = TimeUnit.MINUTES.toNanos(1);

  private final ManagedChannel channel;
  private final String agentId;
  private final String bootId;
  private final String hostName;
  private final long intervalNs;
  private final List<SignalSource> sources = new CopyOnWriteArrayList<>();
  private final Thread thread;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ArrayDeque<Waiting> queue = new ArrayDeque<>();
  private boolean closing;
  private long closedByNs;

  private final BackOff backOff = new BackOff(PAUSE_FIRST, PAUSE_MOST, ThreadLocalRandom.current());
  private final LongAdder sent = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private long nextSequence = 1;
  private long askedNs = System.nanoTime();
  private long pausedUntilNs = System.nanoTime();
  private long loggedNs = System.nanoTime() - LOG_EVERY_NS;

  /// Those that wait for a region's store, and hold back no others.
  private final ArrayDeque<Waiting> aside = new ArrayDeque<>();

  private final BackOff asideBackOff =
      new BackOff(PAUSE_FIRST, ASIDE_MOST, ThreadLocalRandom.current());
  private long asideUntilNs = System.nanoTime();

  /// @param whenStored what to do then; null for nothing
  /// @param probing whether it was set aside, and is sent to see whether it can be stored now
  private record Waiting(NodeReport report, @Nullable Runnable whenStored, boolean probing) {
    Waiting(NodeReport report, @Nullable Runnable whenStored) {
      this(report, whenStored, false);
    }
  }

  /// Starts.
  ///
  /// @param channel to the collector; closed with this sender
  /// @param agentId the agent, over restarts
  /// @param bootId this start of it
  /// @param interval how often the sources are asked
  public static SignalSender start(
      ManagedChannel channel, String agentId, String bootId, String hostName, Duration interval) {
    SignalSender sender = new SignalSender(channel, agentId, bootId, hostName, interval);
    sender.thread.start();
    return sender;
  }

  private SignalSender(
      ManagedChannel channel, String agentId, String bootId, String hostName, Duration interval) {
    this.channel = channel;
    this.agentId = agentId;
    this.bootId = bootId;
    this.hostName = hostName;
    intervalNs = interval.toNanos();
    thread = Thread.ofPlatform().daemon().name("headspan-signals").unstarted(this::run);
  }

  /// Asks a source too, from the next time on.
  public void add(SignalSource source) {
    sources.add(source);
  }

  /// Sends a report that is no source's.
  ///
  /// @param whenStored what to do when the store has it
  public void submit(NodeReport report, Runnable whenStored) {
    lock.lock();
    try {
      enqueue(new Waiting(report, whenStored));
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Reports that the store has.
  public long sent() {
    return sent.sum();
  }

  /// Reports that were given up.
  public long dropped() {
    return dropped.sum();
  }

  /// Asks the sources a last time, sends what is waiting for at most `patience`, and ends.
  public void close(Duration patience) {
    lock.lock();
    try {
      closing = true;
      closedByNs = System.nanoTime() + patience.toNanos();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    try {
      thread.join();
      var _ = channel.shutdown().awaitTermination(FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      channel.shutdownNow();
    }
  }

  @Override
  public void close() {
    close(Duration.ZERO);
  }

  private void run() {
    try {
      while (!isClosing()) {
        long nowNs = System.nanoTime();
        if (nowNs - askedNs >= intervalNs) {
          ask();
        }
        Waiting next = awaitNext(askedNs + intervalNs);
        if (next != null) {
          send(next, CALL_SECONDS * 1_000);
        }
      }
      sayFarewell();
    } catch (InterruptedException e) {
      // Nobody interrupts this thread but a JVM in its end.
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      LOG.error("Telling about the node ended", e);
    }
  }

  private void sayFarewell() {
    ask();
    while (true) {
      Waiting next;
      lock.lock();
      try {
        next = queue.peek();
      } finally {
        lock.unlock();
      }
      long leftMillis = TimeUnit.NANOSECONDS.toMillis(closedByNs - System.nanoTime());
      if (next == null || leftMillis <= 0 || !send(next, leftMillis)) {
        return;
      }
    }
  }

  private boolean isClosing() {
    lock.lock();
    try {
      return closing;
    } finally {
      lock.unlock();
    }
  }

  /// The next one to send now; null if something else is to be done.
  private @Nullable Waiting awaitNext(long untilNs) throws InterruptedException {
    lock.lock();
    try {
      while (!closing) {
        long nowNs = System.nanoTime();
        long waitNs = untilNs - nowNs;
        if (waitNs <= 0) {
          return null;
        }
        if (queue.isEmpty() && !aside.isEmpty()) {
          long asideNs = asideUntilNs - nowNs;
          if (asideNs <= 0) {
            Waiting oldest = aside.remove();
            queue.add(new Waiting(oldest.report(), oldest.whenStored(), true));
            continue;
          }
          waitNs = Math.min(waitNs, asideNs);
        }
        if (!queue.isEmpty()) {
          long pauseNs = pausedUntilNs - nowNs;
          if (pauseNs <= 0) {
            return queue.element();
          }
          waitNs = Math.min(waitNs, pauseNs);
        }
        var _ = changed.awaitNanos(waitNs);
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  private void ask() {
    long nowNs = System.nanoTime();
    long sinceNs = nowNs - askedNs;
    askedNs = nowNs;
    Instant now = Instant.now();
    long timeNs = Math.addExact(now.getEpochSecond() * 1_000_000_000L, now.getNano());
    for (SignalSource source : sources) {
      try {
        source
            .take()
            .ifPresent(signal -> {
              if (signal.size() > 0) {
                enqueue(signal, timeNs, sinceNs);
              }
            });
      } catch (RuntimeException e) {
        logFailure("A source of node signals failed", e.toString());
      }
    }
  }

  private void enqueue(NodeSignal signal, long timeNs, long sinceNs) {
    long intervalOf =
        switch (signal) {
          case NodeSignal.Ledger _ -> 0;
          case NodeSignal.Interference _, NodeSignal.Pressure _ -> sinceNs;
        };
    NodeReport report =
        new NodeReport(agentId, bootId, nextSequence++, hostName, timeNs, intervalOf, signal);
    lock.lock();
    try {
      enqueue(new Waiting(report, null));
    } finally {
      lock.unlock();
    }
  }

  /// Under the lock.
  private void enqueue(Waiting waiting) {
    queue.add(waiting);
    if (queue.size() + aside.size() > REPORTS_MAX) {
      var _ = aside.isEmpty() ? queue.remove() : aside.remove();
      dropped.increment();
    }
  }

  /// Whether it need not be sent again.
  private static boolean isRegionAway(Status failure) {
    String description = failure.getDescription();
    return failure.getCode() == Status.Code.UNAVAILABLE
        && description != null
        && RegionAway.isSaidBy(description);
  }

  private boolean send(Waiting next, long timeoutMillis) {
    Status failure = null;
    try {
      var _ =
          NodeSignalsGrpc.newBlockingStub(channel)
              .withDeadline(Deadline.after(timeoutMillis, TimeUnit.MILLISECONDS))
              .report(next.report().encode());
    } catch (StatusRuntimeException e) {
      failure = e.getStatus();
    }
    boolean isOver =
        failure == null
            || switch (failure.getCode()) {
              case INVALID_ARGUMENT, UNIMPLEMENTED, FAILED_PRECONDITION -> true;
              default -> false;
            };
    lock.lock();
    try {
      boolean isAway = failure != null && isRegionAway(failure);
      if (isOver || isAway) {
        queue.removeFirstOccurrence(next);
      }
      if (failure == null) {
        backOff.succeeded();
        if (next.probing()) {
          asideBackOff.succeeded();
          queue.addAll(aside);
          aside.clear();
        }
      } else if (isAway) {
        // Of others, what is of other regions can be stored.
        if (next.probing() || aside.isEmpty()) {
          asideUntilNs = System.nanoTime() + asideBackOff.failed();
        }
        aside.add(new Waiting(next.report(), next.whenStored()));
      } else if (!isOver) {
        pausedUntilNs = System.nanoTime() + backOff.failed();
      }
    } finally {
      lock.unlock();
    }
    if (failure == null) {
      sent.increment();
      if (next.whenStored() != null) {
        next.whenStored().run();
      }
    } else {
      if (isOver) {
        dropped.increment();
      }
      logFailure(isOver ? "A report is refused" : "Reports wait", failure.toString());
    }
    return isOver;
  }

  /// One line a minute, however often it fails.
  private void logFailure(String what, String why) {
    long nowNs = System.nanoTime();
    if (nowNs - loggedNs >= LOG_EVERY_NS) {
      loggedNs = nowNs;
      LOG.warn("{}: dropped so far={}, reason={}", what, dropped.sum(), why);
    }
  }
}
