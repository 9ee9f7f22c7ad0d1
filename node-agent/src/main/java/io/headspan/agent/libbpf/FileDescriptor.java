package io.headspan.agent.libbpf;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// An open file descriptor that we close. Used by one thread at a time.
final class FileDescriptor implements AutoCloseable {
  private final String name;
  private final int fd;
  private boolean closed;

  /// Takes ownership of `fd`; `name` is for messages.
  FileDescriptor(String name, int fd) {
    this.name = name;
    this.fd = fd;
  }

  /// Opens a file or directory for reading.
  static FileDescriptor open(Path path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment callState = Libbpf.newCallState(arena);
      int fd =
          Libbpf.open(
              callState, arena.allocateFrom(path.toString()), Libbpf.O_RDONLY | Libbpf.O_CLOEXEC);
      if (fd < 0) {
        throw LibbpfException.failed("open", "path=" + path, Libbpf.errno(callState), "");
      }
      return new FileDescriptor(path.toString(), fd);
    }
  }

  int fd() {
    if (closed) {
      throw new IllegalStateException("the file descriptor is closed: name=" + name);
    }
    return fd;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment callState = Libbpf.newCallState(arena);
      // On Linux the descriptor is gone even when close fails, so EINTR is no reason to repeat.
      if (Libbpf.close(callState, fd) < 0 && Libbpf.errno(callState) != Errno.EINTR) {
        throw LibbpfException.failed("close", "name=" + name, Libbpf.errno(callState), "");
      }
    }
  }
}
