package io.headspan.agent.libbpf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// One pass of an iterator program over the kernel's objects. Reading runs the program; what it
/// writes with `bpf_seq_write` or `bpf_seq_printf` is what is read. Used by the thread that began
/// it.
public final class BpfIterator implements AutoCloseable {
  private static final int DISCARD_BUFFER_SIZE_BYTES = 4096;

  private final String programName;
  private final FileDescriptor file;

  // Not shared: to close such an arena stops every thread, and passes are made ten times a second.
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment callState = Libbpf.newCallState(arena);

  BpfIterator(String programName, FileDescriptor file) {
    this.programName = programName;
    this.file = file;
  }

  /// Reads on into `buffer`, which is native memory.
  ///
  /// @return how many bytes; 0 at the end of the pass
  public int read(MemorySegment buffer) {
    while (true) {
      long count = Libbpf.read(callState, file.fd(), buffer, buffer.byteSize());
      if (count >= 0) {
        return Math.toIntExact(count);
      }
      int errno = Libbpf.errno(callState);
      // EAGAIN: a million objects passed without output; the kernel wants to be called again
      // (bpf_seq_read in kernel/bpf/bpf_iter.c).
      if (errno != Errno.EINTR && errno != Errno.EAGAIN) {
        throw LibbpfException.failed("read", "iterator=" + programName, errno, "");
      }
    }
  }

  /// Runs the whole pass and drops its output: for programs that write to maps or rings.
  public void run() {
    try (Arena reading = Arena.ofConfined()) {
      MemorySegment buffer = reading.allocate(DISCARD_BUFFER_SIZE_BYTES);
      int count = read(buffer);
      while (count > 0) {
        count = read(buffer);
      }
    }
  }

  /// Does nothing the second time.
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      file.close();
    }
  }
}
