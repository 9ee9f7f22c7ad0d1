package io.headspan.agent.probe.lifecycle;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/// Mirror of `struct socket_left_event` in events.h; checked by LayoutsMatchBtfTest.
final class SocketLeftEventLayout {
  static final int KIND = 20;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("pid"),
              JAVA_LONG.withName("time_ns"),
              JAVA_LONG.withName("cookie"),
              JAVA_LONG.withName("cgroup_id"),
              JAVA_INT.withName("exit_code"),
              JAVA_INT.withName("oom_killed"))
          .withName("socket_left_event");

  private static final VarHandle PID = LAYOUT.varHandle(groupElement("pid"));
  private static final VarHandle TIME_NS = LAYOUT.varHandle(groupElement("time_ns"));
  private static final VarHandle COOKIE = LAYOUT.varHandle(groupElement("cookie"));
  private static final VarHandle CGROUP_ID = LAYOUT.varHandle(groupElement("cgroup_id"));
  private static final VarHandle EXIT_CODE = LAYOUT.varHandle(groupElement("exit_code"));
  private static final VarHandle OOM_KILLED = LAYOUT.varHandle(groupElement("oom_killed"));

  private SocketLeftEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static LifecycleEvent.SocketLeft decode(MemorySegment sample) {
    return new LifecycleEvent.SocketLeft(
        (long) TIME_NS.get(sample, 0L),
        (int) PID.get(sample, 0L),
        (long) COOKIE.get(sample, 0L),
        (long) CGROUP_ID.get(sample, 0L),
        (int) EXIT_CODE.get(sample, 0L),
        (int) OOM_KILLED.get(sample, 0L) != 0);
  }
}
