package io.headspan.agent.probe.sched;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/// Mirror of `struct account_event` and `struct account_wait` in events.h; checked by
/// LayoutsMatchBtfTest.
final class AccountEventLayout {
  static final int KIND = 32;
  static final int WAITS = 8;

  static final StructLayout WAIT =
      structLayout(
              JAVA_INT.withName("tenant"),
              JAVA_INT.withName("count"),
              JAVA_LONG.withName("ns"),
              JAVA_LONG.withName("woken_ns"))
          .withName("account_wait");

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("tid"),
              JAVA_INT.withName("request"),
              JAVA_INT.withName("tenant"),
              JAVA_LONG.withName("cgroup_id"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("from_ns"),
              JAVA_LONG.withName("time_ns"),
              JAVA_LONG.withName("woken_ns"),
              JAVA_LONG.withName("cpu_ns"),
              JAVA_LONG.withName("blocked_ns"),
              JAVA_LONG.withName("throttled_ns"),
              JAVA_LONG.withName("throttled_woken_ns"),
              JAVA_SHORT.withName("cause"),
              JAVA_SHORT.withName("wait_count"),
              JAVA_SHORT.withName("helped"),
              JAVA_SHORT.withName("blocking"),
              sequenceLayout(WAITS, WAIT).withName("waits"))
          .withName("account_event");

  private static final long TID = offset("tid");
  private static final long TENANT = offset("tenant");
  private static final long CGROUP_ID = offset("cgroup_id");
  private static final long COOKIE = offset("cookie");
  private static final long FROM_NS = offset("from_ns");
  private static final long TIME_NS = offset("time_ns");
  private static final long WOKEN_NS = offset("woken_ns");
  private static final long CPU_NS = offset("cpu_ns");
  private static final long BLOCKED_NS = offset("blocked_ns");
  private static final long THROTTLED_NS = offset("throttled_ns");
  private static final long THROTTLED_WOKEN_NS = offset("throttled_woken_ns");
  private static final long CAUSE = offset("cause");
  private static final long WAIT_COUNT = offset("wait_count");
  private static final long REQUEST = offset("request");
  private static final long HELPED = offset("helped");
  private static final long BLOCKING = offset("blocking");
  private static final long WAITS_AT = offset("waits");
  private static final VarHandle CULPRIT = WAIT.varHandle(groupElement("tenant"));
  private static final VarHandle COUNT = WAIT.varHandle(groupElement("count"));
  private static final VarHandle NS = WAIT.varHandle(groupElement("ns"));
  private static final VarHandle SINCE_WOKEN_NS = WAIT.varHandle(groupElement("woken_ns"));

  private AccountEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`, which ends behind the waits that
  /// there are.
  static AccountRecord decode(MemorySegment sample) {
    int kind = sample.get(JAVA_INT, 0);
    if (kind != KIND) {
      throw new IllegalArgumentException(
          "unknown record: kind=" + kind + ", sizeBytes=" + sample.byteSize());
    }
    int count = sample.get(JAVA_SHORT, WAIT_COUNT);
    List<AccountRecord.Wait> waits = count == 0 ? List.of() : new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      waits.add(wait(sample.asSlice(WAITS_AT + i * WAIT.byteSize(), WAIT.byteSize())));
    }
    return new AccountRecord(
        AccountRecord.Cause.of(sample.get(JAVA_SHORT, CAUSE)),
        sample.get(JAVA_INT, TID),
        sample.get(JAVA_INT, TENANT),
        sample.get(JAVA_LONG, CGROUP_ID),
        sample.get(JAVA_LONG, COOKIE),
        sample.get(JAVA_INT, REQUEST),
        sample.get(JAVA_LONG, FROM_NS),
        sample.get(JAVA_LONG, TIME_NS),
        sample.get(JAVA_LONG, WOKEN_NS),
        sample.get(JAVA_LONG, CPU_NS),
        sample.get(JAVA_LONG, BLOCKED_NS),
        sample.get(JAVA_LONG, THROTTLED_NS),
        sample.get(JAVA_LONG, THROTTLED_WOKEN_NS),
        sample.get(JAVA_SHORT, HELPED) != 0,
        sample.get(JAVA_SHORT, BLOCKING) != 0,
        waits);
  }

  private static AccountRecord.Wait wait(MemorySegment wait) {
    return new AccountRecord.Wait(
        (int) CULPRIT.get(wait, 0L),
        (int) COUNT.get(wait, 0L),
        (long) NS.get(wait, 0L),
        (long) SINCE_WOKEN_NS.get(wait, 0L));
  }

  /// By offset, because a handle of the whole layout refuses a sample that ends before it.
  private static long offset(String field) {
    return LAYOUT.byteOffset(groupElement(field));
  }
}
