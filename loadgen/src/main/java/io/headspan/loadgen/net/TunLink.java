package io.headspan.loadgen.net;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.TimeUnit;

/// Two network devices (tun) with this process between them: it reads the packets of one and writes
/// them to the other, late, twice, in another order, or not at all. For kernels without netem.
///
/// Each direction has two threads that deliver, so that packets of one connection meet in the
/// kernel on two processors at once, as they do behind a real device with several queues.
final class TunLink implements AutoCloseable {
  // <linux/if_tun.h>, <linux/if.h>, <fcntl.h>
  private static final long TUNSETIFF = 0x400454caL;
  private static final short IFF_TUN = 0x0001;
  private static final short IFF_NO_PI = 0x1000;
  private static final int IFREQ_BYTES = 40;
  private static final int IFREQ_FLAGS = 16;
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;

  private static final int PACKET_BYTES_MAX = 65_536;
  private static final int DELIVERERS = 2;

  private static final MethodHandle OPEN =
      function("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT), 2);
  private static final MethodHandle IOCTL =
      function("ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), 2);
  private static final MethodHandle READ =
      function("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG), -1);
  private static final MethodHandle WRITE =
      function("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG), -1);
  private static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT), -1);

  private final Impairment impairment;
  private final int oneFd;
  private final int otherFd;
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean closed;

  /// Makes the devices in the network namespace of this process; move them where they belong, then
  /// [#start()].
  TunLink(String oneDevice, String otherDevice, Impairment impairment) {
    this.impairment = impairment;
    this.oneFd = openDevice(oneDevice);
    this.otherFd = openDevice(otherDevice);
  }

  /// Begins to carry packets. The devices have to be up.
  void start() {
    carry(oneFd, otherFd, 1);
    carry(otherFd, oneFd, 2);
  }

  /// Removes the devices. They have to be down, which is what ends the reading.
  @Override
  public void close() {
    closed = true;
    threads.forEach(Thread::interrupt);
    call(() -> (int) CLOSE.invokeExact(oneFd));
    call(() -> (int) CLOSE.invokeExact(otherFd));
  }

  private record Packet(byte[] bytes, long dueNs) implements Delayed {
    @Override
    public long getDelay(TimeUnit unit) {
      return unit.convert(dueNs - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    @Override
    public int compareTo(Delayed other) {
      return Long.compare(getDelay(TimeUnit.NANOSECONDS), other.getDelay(TimeUnit.NANOSECONDS));
    }
  }

  private void carry(int fromFd, int toFd, int seed) {
    var underWay = new DelayQueue<Packet>();
    start(() -> receive(fromFd, underWay, new Random(seed)));
    for (int i = 0; i < DELIVERERS; i++) {
      start(() -> deliver(underWay, toFd));
    }
  }

  private void start(Runnable work) {
    threads.add(Thread.ofPlatform().daemon().start(work));
  }

  private void receive(int fd, DelayQueue<Packet> underWay, Random random) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(PACKET_BYTES_MAX);
      while (!closed) {
        long length = call(() -> (long) READ.invokeExact(fd, buffer, buffer.byteSize()));
        if (length <= 0) {
          return;
        }
        byte[] packet = buffer.asSlice(0, length).toArray(JAVA_BYTE);
        if (random.nextInt(100) < impairment.lossPercent()) {
          continue;
        }
        underWay.add(new Packet(packet, dueNs(random)));
        if (random.nextInt(100) < impairment.duplicatePercent()) {
          underWay.add(new Packet(packet, dueNs(random)));
        }
      }
    }
  }

  private long dueNs(Random random) {
    long nowNs = System.nanoTime();
    if (random.nextInt(100) < impairment.reorderPercent()) {
      return nowNs;
    }
    double scatter = (random.nextDouble() * 2 - 1) * impairment.jitterMillis();
    return nowNs + (long) ((impairment.delayMillis() + scatter) * 1_000_000);
  }

  private void deliver(DelayQueue<Packet> underWay, int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(PACKET_BYTES_MAX);
      while (!closed) {
        byte[] packet = underWay.take().bytes();
        MemorySegment.copy(packet, 0, buffer, JAVA_BYTE, 0, packet.length);
        long length = packet.length;
        // What is not taken is one packet lost more.
        var _ = call(() -> (long) WRITE.invokeExact(fd, buffer, length));
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private static int openDevice(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment path = arena.allocateFrom("/dev/net/tun");
      int fd = call(() -> (int) OPEN.invokeExact(path, O_RDWR | O_CLOEXEC));
      if (fd < 0) {
        throw new NetworkException("cannot open /dev/net/tun");
      }
      MemorySegment request = arena.allocate(IFREQ_BYTES);
      request.setString(0, name);
      request.set(JAVA_SHORT, IFREQ_FLAGS, (short) (IFF_TUN | IFF_NO_PI));
      int result = call(() -> (int) IOCTL.invokeExact(fd, TUNSETIFF, request));
      if (result < 0) {
        throw new NetworkException("cannot make the tun device " + name);
      }
      return fd;
    }
  }

  @FunctionalInterface
  private interface NativeCall<T> {
    T run() throws Throwable;
  }

  private static <T> T call(NativeCall<T> nativeCall) {
    try {
      return nativeCall.run();
    } catch (Throwable failure) {
      throw new IllegalStateException(failure);
    }
  }

  @SuppressWarnings("restricted")
  private static MethodHandle function(
      String name, FunctionDescriptor descriptor, int firstVariadic) {
    Linker linker = Linker.nativeLinker();
    MemorySegment address = linker.defaultLookup().findOrThrow(name);
    return firstVariadic < 0
        ? linker.downcallHandle(address, descriptor)
        : linker.downcallHandle(address, descriptor, Linker.Option.firstVariadicArg(firstVariadic));
  }
}
