package io.headspan.agent.probe.sched;

import java.util.List;

/// What became of one thread's time between two records of it. Times are CLOCK_MONOTONIC
/// nanoseconds.
///
/// @param tid the thread, in the kernel's first namespace
/// @param tenant number of the tenant whose thread it is
/// @param cookie of the socket that it read or wrote; 0 if that was not the cause
/// @param request number of the request on that connection, from 1; of a call the sequence number
///   of its first byte
/// @param fromNs the thread's record before, or when it was first watched
/// @param timeNs when what caused the record happened
/// @param wokenNs when the thread last woke up; 0 if that was not seen
/// @param cpuNs on a CPU, interrupts included
/// @param blockedNs asleep
/// @param throttledNs runnable while its group's quota was used up
/// @param throttledWokenNs the part of it since `wokenNs`
/// @param helped whether it slept and a thread of its own process woke it up
/// @param blocking of a pickup: whether the read would have waited for bytes if there had been none
/// @param waits runnable otherwise, by who had the CPU
public record AccountRecord(
    Cause cause,
    int tid,
    int tenant,
    long cgroupId,
    long cookie,
    int request,
    long fromNs,
    long timeNs,
    long wokenNs,
    long cpuNs,
    long blockedNs,
    long throttledNs,
    long throttledWokenNs,
    boolean helped,
    boolean blocking,
    List<Wait> waits) {
  /// What ended the period: `enum account_cause` in events.h.
  public enum Cause {
    /// The thread read the first bytes of a request.
    PICKUP(1),
    /// It wrote to a connection from which a request had been read.
    ANSWER(2),
    /// There was something to tell.
    PERIOD(3),
    /// It ended.
    EXIT(4),
    /// It wrote the head of a call, when it had picked up a request by a blocking read.
    CALL(5);

    private final int kernelNumber;

    Cause(int kernelNumber) {
      this.kernelNumber = kernelNumber;
    }

    /// How the kernel writes it.
    int kernelNumber() {
      return kernelNumber;
    }

    /// The cause that the kernel writes so.
    public static Cause of(int kernelNumber) {
      return switch (kernelNumber) {
        case 1 -> PICKUP;
        case 2 -> ANSWER;
        case 3 -> PERIOD;
        case 4 -> EXIT;
        case 5 -> CALL;
        default -> throw new IllegalArgumentException("unknown cause: cause=" + kernelNumber);
      };
    }
  }

  /// Time behind threads of one tenant.
  ///
  /// @param culprit the tenant's number
  /// @param count how many waits
  /// @param ns how long
  /// @param wokenNs the part of it since the thread's last wake-up
  public record Wait(int culprit, int count, long ns, long wokenNs) {}
}
