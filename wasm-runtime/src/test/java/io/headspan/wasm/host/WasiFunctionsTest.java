package io.headspan.wasm.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wasm.engine.GuestExit;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wire.TraceContext;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class WasiFunctionsTest {
  private static final long SUCCESS = 0;
  private static final long BADF = 8;
  private static final long INVAL = 28;

  @Test
  void offersEveryFunctionOfPreview1() {
    assertThat(WasiFunctions.all()).hasSize(46).allMatch(f -> f.module().startsWith("wasi_"));
  }

  @Test
  void readsTheBodyInPieces() {
    HostCalls guest = wasi("hello world");
    guest.vectors(0, 100, 3, 200, 4);
    assertThat(guest.call("fd_read", 0, 0, 2, 50)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readInt(50)).isEqualTo(7);
    assertThat(guest.text(100, 3) + guest.text(200, 4)).isEqualTo("hello w");
    guest.vectors(0, 300, 60_000);
    guest.call("fd_read", 0, 0, 1, 50);
    assertThat(guest.memory.readInt(50)).isEqualTo(4);
    assertThat(guest.text(300, 4)).isEqualTo("orld");
    guest.call("fd_read", 0, 0, 1, 50);
    assertThat(guest.memory.readInt(50)).isZero();
  }

  @Test
  void aLengthBeyondMemoryIsHarmlessWhereTheBodyIsShort() {
    HostCalls guest = wasi("hi");
    guest.vectors(0, 65_000, -1);
    assertThat(guest.call("fd_read", 0, 0, 1, 50)).isEqualTo(SUCCESS);
    assertThat(guest.text(65_000, 2)).isEqualTo("hi");
  }

  @Test
  void badPointersTrap() {
    HostCalls guest = wasi("hello");
    guest.vectors(0, 65_534, 5);
    assertTraps(() -> guest.call("fd_read", 0, 0, 1, 50));
    assertTraps(() -> guest.call("fd_read", 0, -8, 1, 50));
    assertTraps(() -> guest.call("fd_write", 1, 0, 1, 50));
    guest.vectors(0, 0, -1);
    assertTraps(() -> guest.call("fd_write", 1, 0, 1, 50));
    assertTraps(() -> guest.call("fd_write", 2, 0, 1, 50));
    assertTraps(() -> guest.call("random_get", 65_530, 7));
    assertTraps(() -> guest.call("random_get", 0, -1));
    assertTraps(() -> guest.call("clock_time_get", 0, 0, 65_530));
    assertTraps(() -> guest.call("environ_get", 65_535, 0));
    assertTraps(() -> guest.call("poll_oneoff", 65_500, 0, 1, 0));
    assertThat(guest.invocation.response().body()).isEmpty();
  }

  @Test
  void writesTheResponseUpToItsLimit() {
    HostCalls guest = wasi("");
    guest.put(100, "x".repeat(60));
    guest.vectors(0, 100, 30, 130, 30);
    assertThat(guest.call("fd_write", 1, 0, 2, 50)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readInt(50)).isEqualTo(60);
    assertThatThrownBy(() -> guest.call("fd_write", 1, 0, 2, 50))
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.RESPONSE_TOO_LARGE));
    assertThat(guest.invocation.response().body()).hasSizeBetween(60, 100).containsOnly('x');
  }

  @Test
  void keepsTheBeginningOfStandardError() {
    HostCalls guest = wasi("");
    guest.put(100, "e".repeat(3_000));
    guest.vectors(0, 100, 3_000);
    for (int i = 0; i < 3; i++) {
      assertThat(guest.call("fd_write", 2, 0, 1, 50)).isEqualTo(SUCCESS);
      assertThat(guest.memory.readInt(50)).isEqualTo(3_000);
    }
    assertThat(guest.invocation.errorOutput()).isEqualTo("e".repeat(4_096));
  }

  @Test
  void givesArgumentsAndEnvironmentWithTerminators() {
    TraceContext context = TraceContext.parse(HostCalls.TRACEPARENT, "k=v").orElseThrow();
    HostCalls guest =
        new HostCalls(WasiFunctions.all(), HostCalls.request("body", Optional.of(context)));
    guest.call("args_sizes_get", 0, 4);
    assertThat(guest.memory.readInt(0)).isEqualTo(1);
    assertThat(guest.memory.readInt(4)).isEqualTo(5);
    guest.call("args_get", 16, 32);
    assertThat(guest.memory.readInt(16)).isEqualTo(32);
    assertThat(guest.text(32, 5)).isEqualTo("shop\0");

    guest.call("environ_sizes_get", 0, 4);
    int count = guest.memory.readInt(0);
    int size = guest.memory.readInt(4);
    guest.call("environ_get", 1_000, 2_000);
    String[] entries = guest.text(2_000, size).split("\0");
    assertThat(entries).hasSize(count).contains("TRACEPARENT=" + HostCalls.TRACEPARENT);
    assertThat(entries).contains("TRACESTATE=k=v", "PATH_INFO=/cart", "HEADSPAN_VERSION=2.1");
    for (int i = 0; i < count; i++) {
      int at = guest.memory.readInt(1_000 + 4 * i);
      assertThat(guest.text(at, entries[i].length() + 1)).isEqualTo(entries[i] + "\0");
    }
  }

  @Test
  void tellsTheTime() {
    HostCalls guest = wasi("");
    assertThat(guest.call("clock_time_get", 0, 1, 8)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readLong(8))
        .isEqualTo(HostCalls.NOW.getEpochSecond() * 1_000_000_000L + 8);
    guest.call("clock_time_get", 1, 1, 16);
    guest.call("clock_time_get", 1, 1, 24);
    assertThat(guest.memory.readLong(24)).isGreaterThanOrEqualTo(guest.memory.readLong(16));
    assertThat(guest.call("clock_time_get", 2, 1, 8)).isEqualTo(58);
    assertThat(guest.call("clock_time_get", 99, 1, 8)).isEqualTo(INVAL);
    assertThat(guest.call("clock_res_get", 1, 8)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readLong(8)).isEqualTo(1);
  }

  @Test
  void givesRandomBytesThatDiffer() {
    HostCalls guest = wasi("");
    assertThat(guest.call("random_get", 0, 10_000)).isEqualTo(SUCCESS);
    assertThat(guest.call("random_get", 10_000, 10_000)).isEqualTo(SUCCESS);
    byte[] first = guest.memory.read(0, 10_000);
    assertThat(first).isNotEqualTo(guest.memory.read(10_000, 10_000));
    assertThat(Arrays.copyOf(first, 32)).isNotEqualTo(Arrays.copyOfRange(first, 32, 64));
    assertThat(guest.memory.read(20_000, 16)).containsOnly(0);
    HostCalls other = wasi("");
    other.call("random_get", 0, 10_000);
    assertThat(other.memory.read(0, 10_000)).isNotEqualTo(first);
  }

  @Test
  void exitsWithTheCode() {
    HostCalls guest = wasi("");
    assertThatThrownBy(() -> guest.call("proc_exit", 3))
        .isInstanceOfSatisfying(GuestExit.class, e -> assertThat(e.code()).isEqualTo(3));
    assertThatThrownBy(() -> guest.call("proc_raise", 6))
        .isInstanceOfSatisfying(GuestExit.class, e -> assertThat(e.code()).isEqualTo(134));
  }

  @Test
  void thereAreNoFiles() {
    HostCalls guest = wasi("");
    guest.put(100, "/etc/passwd");
    assertThat(guest.call("fd_prestat_get", 3, 0)).isEqualTo(BADF);
    assertThat(guest.call("path_open", 3, 0, 100, 11, 0, -1, -1, 0, 0)).isEqualTo(BADF);
    assertThat(guest.call("path_open", 0, 0, 100, 11, 0, -1, -1, 0, 0)).isEqualTo(54);
    assertThat(guest.call("fd_seek", 1, 0, 0, 0)).isEqualTo(70);
    assertThat(guest.call("fd_read", 1, 0, 0, 0)).isEqualTo(58);
    assertThat(guest.call("fd_read", 3, 0, 0, 0)).isEqualTo(BADF);
    assertThat(guest.call("fd_write", 0, 0, 0, 0)).isEqualTo(58);
    assertThat(guest.call("fd_write", -1, 0, 0, 0)).isEqualTo(BADF);
    assertThat(guest.call("fd_fdstat_get", 3, 0)).isEqualTo(BADF);
    assertThat(guest.call("fd_fdstat_get", 0, 0)).isEqualTo(SUCCESS);
    assertThat(guest.call("sock_accept", 4, 0, 0)).isEqualTo(BADF);
  }

  @Test
  void sleepsUntilTheFirstClockIsDue() {
    HostCalls guest = wasi("");
    subscribe(guest, 0, 11, Duration.ofMillis(20).toNanos());
    subscribe(guest, 48, 22, Duration.ofHours(1).toNanos());
    long beforeNs = System.nanoTime();
    assertThat(guest.call("poll_oneoff", 0, 1_000, 2, 500)).isEqualTo(SUCCESS);
    assertThat(System.nanoTime() - beforeNs).isGreaterThan(Duration.ofMillis(19).toNanos());
    assertThat(guest.memory.readInt(500)).isEqualTo(1);
    assertThat(guest.memory.readLong(1_000)).isEqualTo(11);
    assertThat(guest.call("poll_oneoff", 0, 1_000, 0, 500)).isEqualTo(INVAL);
    assertThat(guest.call("poll_oneoff", 0, 1_000, -1, 500)).isEqualTo(INVAL);
  }

  @Test
  void streamsAreReadyAtOnce() {
    HostCalls guest = wasi("");
    subscribe(guest, 0, 11, Duration.ofHours(1).toNanos());
    guest.memory.writeLong(48, 33);
    guest.memory.writeByte(56, (byte) 2);
    assertThat(guest.call("poll_oneoff", 0, 1_000, 2, 500)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readInt(500)).isEqualTo(1);
    assertThat(guest.memory.readLong(1_000)).isEqualTo(33);
    assertThat(guest.memory.read(1_010, 1)).containsExactly(2);
  }

  @Test
  void aTimeOfDayThatHasPassedIsDue() {
    HostCalls guest = wasi("");
    subscribe(guest, 0, 11, HostCalls.NOW.getEpochSecond() * 1_000_000_000L);
    guest.memory.writeShort(40, (short) 1);
    assertThat(guest.call("poll_oneoff", 0, 1_000, 1, 500)).isEqualTo(SUCCESS);
    assertThat(guest.memory.readInt(500)).isEqualTo(1);
  }

  @Test
  void anInterruptEndsASleep() {
    HostCalls guest = wasi("");
    subscribe(guest, 0, 11, -1);
    Thread.currentThread().interrupt();
    try {
      assertThatThrownBy(() -> guest.call("poll_oneoff", 0, 1_000, 1, 500))
          .isInstanceOfSatisfying(
              GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.INTERRUPTED));
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void countsCalls() {
    HostCalls guest = wasi("");
    guest.call("sched_yield");
    guest.call("fd_close", 1);
    assertThat(guest.invocation.hostCalls()).isEqualTo(2);
  }

  private static void subscribe(HostCalls guest, int at, long userData, long timeoutNs) {
    guest.memory.writeLong(at, userData);
    guest.memory.writeInt(at + 16, 0);
    guest.memory.writeLong(at + 24, timeoutNs);
  }

  private static HostCalls wasi(String body) {
    assertThat(body.getBytes(StandardCharsets.US_ASCII)).hasSizeLessThan(1_000);
    return new HostCalls(WasiFunctions.all(), body);
  }

  private static void assertTraps(ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.MEMORY_OUT_OF_BOUNDS));
  }
}
