package io.headspan.agent.probe.sched;

import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.StructLayout;

/// Mirror of `struct matrix_key`, `struct matrix_cell` and `struct tenant_entry` in events.h;
/// checked by LayoutsMatchBtfTest.
final class MatrixLayout {
  static final StructLayout KEY =
      structLayout(JAVA_INT.withName("victim"), JAVA_INT.withName("culprit"))
          .withName("matrix_key");
  static final StructLayout CELL =
      structLayout(JAVA_LONG.withName("ns"), JAVA_LONG.withName("count")).withName("matrix_cell");
  static final StructLayout TENANT =
      structLayout(JAVA_INT.withName("tenant"), JAVA_INT.withName("watched"))
          .withName("tenant_entry");

  static final long VICTIM = 0;
  static final long CULPRIT = 4;
  static final long NS = 0;
  static final long COUNT = 8;
  static final long TENANT_NUMBER = 0;
  static final long WATCHED = 4;

  private MatrixLayout() {}
}
