package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// One program of a [BpfObject]. Valid while the object is open; threads as there.
public final class BpfProgram {
  // struct bpf_test_run_opts of <bpf/bpf.h>.
  private static final long TEST_RUN_SIZE_BYTES = 80;
  private static final long TEST_RUN_CONTEXT = 32;
  private static final long TEST_RUN_CONTEXT_SIZE = 48;
  private static final long TEST_RUN_RESULT = 56;

  private final BpfObject object;
  private final MemorySegment program;
  private final String name;
  private final String section;

  BpfProgram(BpfObject object, MemorySegment program) {
    this.object = object;
    this.program = program;
    this.name = Libbpf.string(Libbpf.programName(program));
    this.section = Libbpf.string(Libbpf.programSection(program));
  }

  /// The name of the C function.
  public String name() {
    return name;
  }

  /// The ELF section, which says type and attach point: `tp_btf/sched_process_exec`.
  public String section() {
    return section;
  }

  /// The program's file descriptor, owned by the object; only once loaded.
  public int fd() {
    int fd = Libbpf.programFd(program);
    if (fd < 0) {
      throw LibbpfException.failed("bpf_program__fd", subject(), -fd, "");
    }
    return fd;
  }

  /// Whether [BpfObject#load()] loads this program; true unless its section starts with `?`.
  public void setAutoload(boolean autoload) {
    int result = Libbpf.programSetAutoload(program, autoload);
    if (result < 0) {
      throw LibbpfException.failed("bpf_program__set_autoload", subject(), -result, "");
    }
  }

  /// Attaches to what the section names.
  public BpfLink attach() {
    return object.attach(
        this,
        "bpf_program__attach",
        subject(),
        callState -> Libbpf.programAttach(callState, program));
  }

  /// Attaches to a cgroup and all below it, beside what else is attached there.
  ///
  /// @param cgroup a directory of the cgroup v2 hierarchy
  public BpfLink attachCgroup(Path cgroup) {
    try (FileDescriptor directory = FileDescriptor.open(cgroup)) {
      return object.attach(
          this,
          "bpf_program__attach_cgroup",
          subject() + ", cgroup=" + cgroup,
          callState -> Libbpf.programAttachCgroup(callState, program, directory.fd()));
    }
  }

  /// Makes an iterator of an `iter/...` program that needs no parameter. Nothing runs until
  /// [BpfLink#iterate()].
  public BpfLink attachIterator() {
    return object.attach(
        this,
        "bpf_program__attach_iter",
        subject(),
        callState -> Libbpf.programAttachIterator(callState, program, MemorySegment.NULL));
  }

  /// Makes an iterator over the elements of `map`, for `iter/bpf_map_elem` and
  /// `iter/bpf_sk_storage_map`.
  public BpfLink attachIterator(BpfMap map) {
    try (Arena arena = Arena.ofConfined()) {
      // union bpf_iter_link_info of <linux/bpf.h>: its first member is map.map_fd.
      MemorySegment linkInfo = arena.allocate(16, JAVA_LONG.byteAlignment());
      linkInfo.set(JAVA_INT, 0, map.fd());
      // struct bpf_iter_attach_opts of <bpf/libbpf.h>: sz, link_info, link_info_len, padding.
      MemorySegment options = arena.allocate(24, JAVA_LONG.byteAlignment());
      options.set(JAVA_LONG, 0, options.byteSize());
      options.set(ADDRESS, 8, linkInfo);
      options.set(JAVA_INT, 16, (int) linkInfo.byteSize());
      return object.attach(
          this,
          "bpf_program__attach_iter",
          subject() + ", map=" + map.name(),
          callState -> Libbpf.programAttachIterator(callState, program, options));
    }
  }

  /// Runs a `SEC("syscall")` program once, here and now.
  ///
  /// @param context the program's argument, which it may change; native memory, or empty
  /// @return what the program returned
  public int run(MemorySegment context) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment options = arena.allocate(TEST_RUN_SIZE_BYTES, JAVA_LONG.byteAlignment());
      options.set(JAVA_LONG, 0, options.byteSize());
      if (context.byteSize() > 0) {
        options.set(ADDRESS, TEST_RUN_CONTEXT, context);
        options.set(JAVA_INT, TEST_RUN_CONTEXT_SIZE, Math.toIntExact(context.byteSize()));
      }
      int result = Libbpf.programTestRun(fd(), options);
      if (result < 0) {
        throw LibbpfException.failed("bpf_prog_test_run_opts", subject(), -result, "");
      }
      return options.get(JAVA_INT, TEST_RUN_RESULT);
    }
  }

  private String subject() {
    return "object=" + object.name() + ", program=" + name + ", section=" + section;
  }
}
