package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// The reading side of a `BPF_MAP_TYPE_RINGBUF` map: its pages mapped into this process and read in
/// place, without a call per record.
///
/// Meant for programs that submit with `BPF_RB_NO_WAKEUP`: the reader drains on a beat of its own
/// and sleeps in [#awaitWakeup(int)] in between, out of which `BPF_RB_FORCE_WAKEUP` takes it.
///
/// Threads: one at a time drains and waits; it need not be the one that opened. Closing needs that
/// thread to have stopped. The counters may be read from any thread.
public final class RingBuffer implements AutoCloseable {
  // Shared, for the reason above.
  private final Arena arena = Arena.ofShared();
  private final MemorySegment callState = Libbpf.newCallState(arena);
  private final MemorySegment event =
      arena.allocate(Libbpf.EPOLL_EVENT_SIZE_BYTES, Integer.BYTES * 2L);
  private final String name;
  private final int fd;
  private final RingReader reader;
  private final FileDescriptor epoll;

  private RingBuffer(BpfMap map) {
    this.name = map.name();
    try {
      int pageSizeBytes = Libbpf.pageSize();
      fd = map.fd();
      long sizeBytes = Integer.toUnsignedLong(map.maxEntries());
      String subject = "map=" + name;
      MemorySegment consumer =
          Libbpf.mapShared(
              fd, 0, pageSizeBytes, Libbpf.PROT_READ | Libbpf.PROT_WRITE, arena, subject);
      MemorySegment producer =
          Libbpf.mapShared(
                  fd,
                  pageSizeBytes,
                  pageSizeBytes + 2 * sizeBytes,
                  Libbpf.PROT_READ,
                  arena,
                  subject)
              .asReadOnly();
      this.reader =
          new RingReader(
              consumer, producer.asSlice(0, pageSizeBytes), producer.asSlice(pageSizeBytes));
      this.epoll = epoll();
    } catch (RuntimeException | Error failure) {
      arena.close();
      throw failure;
    }
  }

  /// Maps the ring of a loaded object.
  ///
  /// @throws IllegalArgumentException if `map` is no ring buffer
  /// @throws LibbpfException if the kernel refuses
  public static RingBuffer open(BpfMap map) {
    if (map.type() != Libbpf.BPF_MAP_TYPE_RINGBUF) {
      throw new IllegalArgumentException(
          "not a ring buffer: map=" + map.name() + ", type=" + map.type());
    }
    return new RingBuffer(map);
  }

  /// As [RingReader#drain(RingReader.Handler, int)].
  public int drain(RingReader.Handler handler, int maxSamples) {
    return reader.drain(handler, maxSamples);
  }

  /// Sleeps until a program forces a wake-up, but no longer than the time given. Records submitted
  /// with `BPF_RB_NO_WAKEUP` do not end the sleep, however many there are. A wake-up since the last
  /// call ends it at once. Blocks the carrier if called on a virtual thread.
  ///
  /// @return whether there was a wake-up; a signal may end the sleep early without one
  public boolean awaitWakeup(int timeoutMillis) {
    int events = Libbpf.epollWait(callState, epoll.fd(), event, 1, timeoutMillis);
    if (events < 0) {
      int errno = Libbpf.errno(callState);
      if (errno != Errno.EINTR) {
        throw LibbpfException.failed("epoll_wait", "map=" + name, errno, "");
      }
    }
    return events > 0;
  }

  /// From now on, wake-ups of another ring end this one's sleeps, too. Not while a thread sleeps.
  ///
  /// @param other open for as long as this one is waited at
  /// @throws LibbpfException if the kernel refuses
  public void wakeAlsoBy(RingBuffer other) {
    watch(epoll.fd(), other.fd);
  }

  /// As [RingReader#pendingBytes()].
  public long pendingBytes() {
    return reader.pendingBytes();
  }

  /// As [RingReader#sizeBytes()].
  public long sizeBytes() {
    return reader.sizeBytes();
  }

  /// As [RingReader#failures()].
  public long failures() {
    return reader.failures();
  }

  /// As [RingReader#takeFailure()].
  public Optional<RuntimeException> takeFailure() {
    return reader.takeFailure();
  }

  /// Unmaps the ring. Does nothing the second time.
  ///
  /// @throws IllegalStateException if a thread is in [#awaitWakeup(int)]; nothing is closed then
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
      epoll.close();
    }
  }

  /// An epoll instance that watches the ring, edge-triggered: the level is "any unread record",
  /// which would end every sleep of a busy reader at once; the edge is the wake-up that a program
  /// asked for.
  private FileDescriptor epoll() {
    int epollFd = Libbpf.epollCreate(callState, Libbpf.EPOLL_CLOEXEC);
    if (epollFd < 0) {
      throw LibbpfException.failed("epoll_create1", "map=" + name, Libbpf.errno(callState), "");
    }
    var descriptor = new FileDescriptor("epoll of " + name, epollFd);
    try {
      watch(epollFd, fd);
    } catch (LibbpfException failure) {
      descriptor.close();
      throw failure;
    }
    return descriptor;
  }

  private void watch(int epollFd, int ringFd) {
    event.set(JAVA_INT, 0, Libbpf.EPOLLIN | Libbpf.EPOLLET);
    if (Libbpf.epollControl(callState, epollFd, Libbpf.EPOLL_CTL_ADD, ringFd, event) < 0) {
      throw LibbpfException.failed("epoll_ctl", "map=" + name, Libbpf.errno(callState), "");
    }
  }
}
