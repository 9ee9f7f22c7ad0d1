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

/// Mirror of `struct cgroup_event` in events.h; checked by LayoutsMatchBtfTest.
final class CgroupEventLayout {
  static final int KIND_CREATED = 18;
  static final int KIND_REMOVED = 19;

  private static final int PATH_BYTES = 1024;

  static final StructLayout LAYOUT =
      structLayout(
              JAVA_INT.withName("kind"),
              JAVA_INT.withName("_pad"),
              JAVA_LONG.withName("time_ns"),
              JAVA_LONG.withName("cgroup_id"),
              sequenceLayout(PATH_BYTES, JAVA_BYTE).withName("path"))
          .withName("cgroup_event");

  private static final VarHandle TIME_NS = LAYOUT.varHandle(groupElement("time_ns"));
  private static final VarHandle CGROUP_ID = LAYOUT.varHandle(groupElement("cgroup_id"));
  private static final long PATH = LAYOUT.byteOffset(groupElement("path"));

  private CgroupEventLayout() {}

  /// Copies out of the ring; the result never refers to `sample`.
  static LifecycleEvent.CgroupCreated decodeCreated(MemorySegment sample) {
    return new LifecycleEvent.CgroupCreated(timeNs(sample), cgroupId(sample), path(sample));
  }

  /// Copies out of the ring; the result never refers to `sample`.
  static LifecycleEvent.CgroupRemoved decodeRemoved(MemorySegment sample) {
    return new LifecycleEvent.CgroupRemoved(timeNs(sample), cgroupId(sample), path(sample));
  }

  private static long timeNs(MemorySegment sample) {
    return (long) TIME_NS.get(sample, 0L);
  }

  private static long cgroupId(MemorySegment sample) {
    return (long) CGROUP_ID.get(sample, 0L);
  }

  private static String path(MemorySegment sample) {
    return sample.asSlice(PATH, PATH_BYTES).getString(0);
  }
}
