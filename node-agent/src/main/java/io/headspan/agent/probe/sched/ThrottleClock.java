package io.headspan.agent.probe.sched;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// By which of its clocks a kernel totals how long a group is throttled. `throttling_of` in
/// sched.bpf.c takes the first of these totals that is there.
public enum ThrottleClock {
  /// The run queue's own (Linux 6.5).
  RUN_QUEUE("throttled_clock_self_time"),
  /// That of the load averages (5.19): slower while the processor is, catching up when it idles.
  LOAD_AVERAGE("throttled_clock_pelt_time"),
  /// The run queue's own less interrupts.
  TASK("throttled_clock_task_time"),
  /// This kernel throttles nobody.
  NONE("");

  private static final Path BTF = Path.of("/sys/kernel/btf/vmlinux");

  /// The field of `struct cfs_rq`; no other struct has one of that name.
  private final String field;

  ThrottleClock(String field) {
    this.field = field;
  }

  /// That of the running kernel.
  ///
  /// @throws UncheckedIOException if its BTF cannot be read
  public static ThrottleClock ofKernel() {
    try {
      return of(Files.readAllBytes(BTF));
    } catch (IOException e) {
      throw new UncheckedIOException("the kernel's BTF cannot be read: path=" + BTF, e);
    }
  }

  /// @param btf describes a kernel's types; its names end with 0, and every one is there once
  static ThrottleClock of(byte[] btf) {
    String names = new String(btf, StandardCharsets.ISO_8859_1);
    for (ThrottleClock clock : values()) {
      if (clock != NONE && names.contains("\0" + clock.field + "\0")) {
        return clock;
      }
    }
    return NONE;
  }
}
