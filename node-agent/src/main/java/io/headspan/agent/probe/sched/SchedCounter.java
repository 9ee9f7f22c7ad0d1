package io.headspan.agent.probe.sched;

import java.util.Locale;

/// What the scheduler probe counts in the kernel, under the numbers of `enum sched_counter` in
/// events.h (checked by LayoutsMatchBtfTest).
public enum SchedCounter {
  /// Records that did not fit into the ring. Their amounts are told later; what caused them is not.
  RECORDS_REFUSED(0),
  /// Threads without account because the kernel had no memory for their state.
  THREADS_REFUSED(1),
  /// Waits of whose beginning the culprits are not known: the CPU changed hands too often.
  LONG_WAITS(2),
  /// Stretches of waiting that are neither in the matrix nor in a record.
  WAITS_NOT_CHARGED(3),
  /// Connections without account because the kernel had no memory for their state.
  STREAMS_REFUSED(4);

  private final int kernelIndex;

  SchedCounter(int kernelIndex) {
    this.kernelIndex = kernelIndex;
  }

  /// Index in the kernel's array.
  int kernelIndex() {
    return kernelIndex;
  }

  /// The name as metrics have it.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
