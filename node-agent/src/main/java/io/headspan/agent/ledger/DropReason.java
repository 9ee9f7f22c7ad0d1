package io.headspan.agent.ledger;

import java.util.Locale;

/// Why something captured has no span in the store. Each has a number of its own, counted from 0,
/// under which the ledger's file knows it: new ones go to the end.
public enum DropReason {
  /// Its request could not be read.
  UNREADABLE(0),
  /// It is a call that did not leave a container.
  NO_CONTAINER(1),
  /// It came to a port that is excluded.
  EXCLUDED(2),
  /// The kernel's ring was full.
  RING_FULL(3),
  /// The records of it that came could not be put together to one exchange.
  UNASSEMBLED(4),
  /// Memory for batches was full and there was no spool; these were the oldest.
  QUEUE_FULL(5),
  /// Memory for batches was full and the spool's file system too.
  DISK_FULL(6),
  /// Memory for batches was full and the spool could not be written, or not fast enough.
  SPOOL_FAILED(7),
  /// The spool was full; these were in its oldest segment.
  SPOOL_FULL(8),
  /// What the spool held was damaged.
  SPOOL_DAMAGED(9),
  /// The collector refused the batch for good, or it could not be encoded.
  REJECTED(10),
  /// The agent ended before the collector acknowledged them, and they could not be spooled.
  CLOSED(11),
  /// They were in the memory of an agent that was killed; told by the one that started next.
  KILLED(12),
  /// It is a call in which a function's own SDK sends telemetry: no work of any invocation.
  TELEMETRY(13),
  /// It is a call in another protocol than HTTP, and nothing shows which invocation made it: of
  /// itself, it would be a trace of one span without a name.
  NO_CALLER(14),
  /// The agent kept within its budgets by giving less detail.
  SHED(15);

  private final int number;

  DropReason(int number) {
    this.number = number;
  }

  int number() {
    return number;
  }

  /// The reason as a metric label.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
