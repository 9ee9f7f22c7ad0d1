package io.headspan.collector.ingest;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// The bytes of all messages that were received and not answered yet, and the limit above which no
/// receiver asks its transport for another one. HTTP/2 flow control then stops the senders, before
/// memory grows.
///
/// A message that was asked for below the limit may arrive above it, so each open stream or call
/// can exceed the limit by one message, still compressed.
///
/// Thread-safe.
public final class InFlight {
  private final Object lock = new Object();
  private final long limitBytes;
  private final Set<Waiter> waiters = new LinkedHashSet<>();
  private long bytes;

  /// @param limitBytes from this many bytes on, receivers wait
  public InFlight(long limitBytes) {
    if (limitBytes < 1) {
      throw new IllegalArgumentException("limit is not positive: limitBytes=" + limitBytes);
    }
    this.limitBytes = limitBytes;
  }

  public long limitBytes() {
    return limitBytes;
  }

  /// What is counted now.
  public long bytes() {
    synchronized (lock) {
      return bytes;
    }
  }

  /// Runs `action` as soon as the count is below the limit: at once in this thread, or later in the
  /// thread that brings it below, in the order of the calls.
  ///
  /// @return what the caller can withdraw
  public Waiter whenBelowLimit(Runnable action) {
    Waiter waiter = new Waiter(action);
    synchronized (lock) {
      if (bytes >= limitBytes || !waiters.isEmpty()) {
        waiters.add(waiter);
        return waiter;
      }
    }
    action.run();
    return waiter;
  }

  /// Counts `size` bytes until the reservation is closed.
  public Reservation reserve(long size) {
    Reservation reservation = new Reservation();
    reservation.resize(size);
    return reservation;
  }

  private void add(long difference) {
    List<Waiter> woken;
    synchronized (lock) {
      bytes += difference;
      if (bytes >= limitBytes || waiters.isEmpty()) {
        return;
      }
      woken = new ArrayList<>(waiters);
      waiters.clear();
    }
    for (Waiter waiter : woken) {
      waiter.action.run();
    }
  }

  /// An action that waits for its turn.
  public final class Waiter {
    private final Runnable action;

    private Waiter(Runnable action) {
      this.action = action;
    }

    /// Whether the action has not run yet.
    public boolean isWaiting() {
      synchronized (lock) {
        return waiters.contains(this);
      }
    }

    /// Takes the action back.
    ///
    /// @return whether it was still waiting; otherwise it has run or is about to
    public boolean withdraw() {
      synchronized (lock) {
        return waiters.remove(this);
      }
    }
  }

  /// The share of one message. Not thread-safe: its owner hands it from thread to thread.
  public final class Reservation implements AutoCloseable {
    private long size;

    private Reservation() {}

    /// Counts `newSize` bytes from now on.
    public void resize(long newSize) {
      long difference = newSize - size;
      size = newSize;
      add(difference);
    }

    /// Counts nothing any more. Closing again does nothing.
    @Override
    public void close() {
      resize(0);
    }
  }
}
