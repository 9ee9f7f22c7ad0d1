package io.headspan.agent.probe.lifecycle;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.VarHandle;

/// Mirror of `struct exec_event` in events.h; checked by LayoutsMatchBtfTest.
final class ExecEventLayout {
  static final int KIND = 16;

  private static final int FILENAME_BYTES = 256;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("pid"),
              JAVA_LONG.withName("time_ns"),
              JAVA_LONG.withName("cgroup_id"),
              sequenceLayout(FILENAME_BYTES, JAVA_BYTE).withName("filename"))
          .withName("exec_event");

  private static final VarHandle PID = LAYOUT.varHandle(groupElement("pid"));
  private static final VarHandle TIME_NS = LAYOUT.varHandle(groupElement("time_ns"));
  private static final VarHandle CGROUP_ID = LAYOUT.varHandle(groupElement("cgroup_id"));
  private static final long FILENAME = LAYOUT.byteOffset(groupElement("filename"));

  private ExecEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static LifecycleEvent.Exec decode(MemorySegment sample) {
    return new LifecycleEvent.Exec(
        (long) TIME_NS.get(sample, 0L),
        (int) PID.get(sample, 0L),
        (long) CGROUP_ID.get(sample, 0L),
        sample.asSlice(FILENAME, FILENAME_BYTES).getString(0));
  }
}
