package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Loads real objects into the kernel: `src/test/bpf`.
@Tag("privileged")
class LibbpfBpfIT {
  private static final int SAMPLE_SIZE_BYTES = 72;

  private List<String> bpfDescriptorsBefore = List.of();

  @BeforeEach
  void rememberWhatIsOpen() throws IOException {
    bpfDescriptorsBefore = bpfDescriptors();
  }

  @AfterEach
  void nothingIsLeft() throws IOException {
    // Nothing here is pinned, so what no descriptor holds is gone.
    assertThat(bpfDescriptors()).isEqualTo(bpfDescriptorsBefore);
  }

  @Test
  void thisMachineHasWhatBpfNeeds() {
    assertThat(BpfSupport.check()).isEmpty();
    assertThat(BpfSupport.cgroup2Mount())
        .hasValueSatisfying(path -> {
          assertThat(path.resolve("cgroup.procs")).exists();
        });
  }

  @Test
  void readsAHundredThousandRecordsWithoutLoss() throws IOException {
    try (BpfObject object = facilities()) {
      object.map("samples").setMaxEntries(1 << 20);
      object.load();
      try (RingBuffer ring = RingBuffer.open(object.map("samples"))) {
        assertThat(ring.sizeBytes()).isEqualTo(1 << 20);
        var sequence = new Sequence();
        int records = 100_000;
        // A record takes 80 bytes: fewer per step than fit, and far more in all, so that the ring
        // wraps at ever other places.
        int step = 9_973;
        for (int first = 0; first < records; first += step) {
          int count = Math.min(step, records - first);
          assertThat(emit(object, first, count, 0, false)).isZero();
          assertThat(ring.drain(sequence, Integer.MAX_VALUE)).isEqualTo(count);
          assertThat(ring.pendingBytes()).isZero();
        }
        assertThat(sequence.next).isEqualTo(records);
        assertThat(ring.takeFailure()).isEmpty();
        assertThat(ring.failures()).isZero();
      }
    }
  }

  @Test
  void readsWhileTheKernelWrites() throws Exception {
    try (BpfObject object = facilities()) {
      object.map("samples").setMaxEntries(1 << 20);
      object.load();
      try (RingBuffer ring = RingBuffer.open(object.map("samples"))) {
        int records = 100_000;
        var lost = new AtomicReference<Integer>();
        Thread writer =
            Thread.ofPlatform()
                .start(() -> {
                  int sum = 0;
                  for (int first = 0; first < records; first += 1000) {
                    sum += emit(object, first, 1000, 0, true);
                  }
                  lost.set(sum);
                });
        var sequence = new Sequence();
        sequence.gapsAllowed = true;
        long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while ((lost.get() == null || ring.pendingBytes() > 0) && System.nanoTime() < deadlineNs) {
          ring.drain(sequence, 512);
          ring.awaitWakeup(1);
        }
        writer.join();
        assertThat(ring.takeFailure()).isEmpty();
        // The kernel counts what it could not reserve; all else arrives, in order.
        assertThat(sequence.samples + lost.get()).isEqualTo(records);
      }
    }
  }

  @Test
  void passesOverDiscardedRecords() throws IOException {
    try (BpfObject object = facilities()) {
      object.load();
      try (RingBuffer ring = RingBuffer.open(object.map("samples"))) {
        var first = new ArrayList<Long>();
        assertThat(emit(object, 0, 12, 5, false)).isZero();
        assertThat(ring.drain(sample -> first.add(sample.get(JAVA_LONG, 0)), 100)).isEqualTo(9);
        assertThat(first).containsExactly(1L, 2L, 3L, 4L, 6L, 7L, 8L, 9L, 11L);
        assertThat(ring.pendingBytes()).isZero();
      }
    }
  }

  @Test
  void reportsWhatDidNotFit() throws IOException {
    try (BpfObject object = facilities()) {
      object.load();
      // 4096 bytes hold 51 records of 80.
      assertThat(emit(object, 0, 60, 0, false)).isEqualTo(9);
      try (RingBuffer ring = RingBuffer.open(object.map("samples"))) {
        assertThat(ring.drain(new Sequence(), 100)).isEqualTo(51);
      }
    }
  }

  @Test
  void sleepsThroughQuietRecordsAndWakesWhenForced() throws Exception {
    try (BpfObject object = facilities()) {
      object.load();
      try (RingBuffer ring = RingBuffer.open(object.map("samples"))) {
        assertThat(emit(object, 0, 10, 0, false)).isZero();
        ring.awaitWakeup(0); // Adding a ring that has data counts as its first edge.
        assertThat(ring.awaitWakeup(20)).isFalse();
        assertThat(ring.pendingBytes()).isEqualTo(800);

        var sleeping = new CountDownLatch(1);
        var woken = new AtomicReference<Boolean>();
        Thread reader =
            Thread.ofPlatform()
                .start(() -> {
                  sleeping.countDown();
                  woken.set(ring.awaitWakeup(30_000));
                });
        sleeping.await();
        assertThat(emit(object, 10, 1, 0, true)).isZero();
        reader.join(TimeUnit.SECONDS.toMillis(10));
        assertThat(woken.get()).isTrue();
        assertThat(ring.awaitWakeup(0)).isFalse();
        assertThat(ring.drain(new Sequence(), 100)).isEqualTo(11);
      }
    }
  }

  @Test
  void attachesToATracepointAndReadsAVariable() throws Exception {
    try (BpfObject object = facilities()) {
      object.load();
      MemorySegment execs = object.global("execs");
      try (BpfLink link = object.program("on_exec").attach()) {
        assertThat(link.fd()).isPositive();
        long before = execs.get(JAVA_LONG, 0);
        assertThat(new ProcessBuilder("/bin/true").start().waitFor()).isZero();
        assertThat(execs.get(JAVA_LONG, 0)).isGreaterThan(before);
      }
      long after = execs.get(JAVA_LONG, 0);
      assertThat(new ProcessBuilder("/bin/true").start().waitFor()).isZero();
      assertThat(execs.get(JAVA_LONG, 0)).isEqualTo(after);
    }
  }

  @Test
  void attachesToACgroupAndIteratesOverSocketStorage() throws Exception {
    try (DatagramSocket receiver = new DatagramSocket(0, InetAddress.getLoopbackAddress());
        DatagramSocket sender = new DatagramSocket();
        BpfObject object = facilities()) {
      object.setGlobal("watched_port", receiver.getLocalPort());
      object.load();
      Path root = BpfSupport.cgroup2Mount().orElseThrow();
      object.program("on_ingress").attachCgroup(root);
      for (int packet = 0; packet < 5; packet++) {
        sender.send(new DatagramPacket(new byte[10], 10, receiver.getLocalSocketAddress()));
        receiver.receive(new DatagramPacket(new byte[10], 10));
      }

      assertThat(object.map("packets").perCpuSum(0)).isEqualTo(5);
      assertThat(object.map("packets").perCpuCounters(1))
          .hasSize(BpfMap.possibleCpus())
          .containsOnly(0);
      try (BpfLink sockets = object.program("each_socket").attachIterator(object.map("sockets"));
          Arena arena = Arena.ofConfined()) {
        for (int pass = 0; pass < 2; pass++) {
          try (BpfIterator iterator = sockets.iterate()) {
            MemorySegment buffer = arena.allocate(64, Long.BYTES);
            assertThat(iterator.read(buffer)).isEqualTo(8);
            assertThat(buffer.get(JAVA_LONG, 0)).isEqualTo(5);
            assertThat(iterator.read(buffer)).isZero();
          }
        }
        try (BpfIterator iterator = sockets.iterate()) {
          iterator.run();
        }
      }
    }
  }

  @Test
  void countsRunsAndTheirTime() throws Exception {
    try (BpfObject object = facilities();
        BpfStatistics statistics = BpfStatistics.enable()) {
      assertThat(statistics).isNotNull();
      object.load();
      BpfProgram emit = object.program("emit");
      BpfProgram onExec = object.program("on_exec");
      onExec.attach();
      BpfStatistics.Runs before = BpfStatistics.of(onExec);
      assertThat(new ProcessBuilder("/bin/true").start().waitFor()).isZero();
      BpfStatistics.Runs runs = BpfStatistics.of(onExec).since(before);
      assertThat(runs.runCount()).isPositive();
      assertThat(runs.runTimeNs()).isPositive();
      assertThat(BpfStatistics.of(emit).runCount()).isZero();
    }
  }

  @Test
  void looksUpStoresAndRemoves() throws IOException {
    try (BpfObject object = facilities()) {
      object.load();
      BpfMap pairs = object.map("pairs");
      assertThat(pairs.keySizeBytes()).isEqualTo(8);
      assertThat(pairs.elementSizeBytes()).isEqualTo(4);
      assertThat(pairs.lookup(key(1))).isEmpty();
      assertThat(pairs.update(key(1), value(10), BpfMap.Update.PRESENT)).isFalse();
      assertThat(pairs.update(key(1), value(10), BpfMap.Update.ABSENT)).isTrue();
      assertThat(pairs.update(key(1), value(11), BpfMap.Update.ABSENT)).isFalse();
      assertThat(pairs.update(key(1), value(12), BpfMap.Update.PRESENT)).isTrue();
      assertThat(pairs.update(key(2), value(20), BpfMap.Update.ANY)).isTrue();
      assertThat(pairs.lookup(key(1))).hasValue(value(12));
      assertThat(keys(pairs)).containsExactlyInAnyOrder(1L, 2L);
      assertThat(pairs.delete(key(1))).isTrue();
      assertThat(pairs.delete(key(1))).isFalse();
      assertThat(keys(pairs)).containsExactly(2L);
      assertThatThrownBy(() -> pairs.update(key(1), key(1), BpfMap.Update.ANY))
          .isInstanceOf(LibbpfException.class)
          .hasMessage(
              "bpf_map__update_elem failed: object=facilities, map=pairs, errno=EINVAL(22)");
    }
  }

  @Test
  void setsVariablesBeforeLoad() throws IOException {
    try (BpfObject object = facilities()) {
      object.setGlobal("watched_port", 65_535);
      object.setGlobal("one_byte", 200);
      object.setGlobal("adjustable", -3);
      object.setGlobal("label", "headspan".getBytes(UTF_8));
      assertThatThrownBy(() -> object.setGlobal("one_byte", 256))
          .hasMessage("value does not fit: variable=one_byte, sizeBytes=1, value=256");
      assertThatThrownBy(() -> object.setGlobal("no_such", 1))
          .isInstanceOf(LibbpfException.class)
          .hasMessageStartingWith(
              "the object has no such variable: object=facilities, variable=no_such, present=[");
      object.load();

      assertThat(object.global("watched_port").get(JAVA_INT, 0)).isEqualTo(65_535);
      assertThat(object.global("one_byte").toArray(JAVA_BYTE)).containsExactly((byte) 200);
      assertThat(object.global("label").isReadOnly()).isTrue();
      assertThat(object.global("adjustable").get(JAVA_INT, 0)).isEqualTo(-3);
      object.setGlobal("adjustable", 4);
      assertThat(object.global("adjustable").get(JAVA_INT, 0)).isEqualTo(4);
      assertThatThrownBy(() -> object.setGlobal("watched_port", 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "a constant cannot be set after load: object=facilities, variable=watched_port");
    }
  }

  @Test
  void givesTheVerifiersOwnWords() throws IOException {
    try (BpfObject object = BpfObject.open("refused", bytes("refused"))) {
      assertThatThrownBy(object::load)
          .isInstanceOfSatisfying(
              LibbpfException.class,
              failure -> {
                assertThat(failure.kind()).isEqualTo(LibbpfException.Kind.REJECTED);
                assertThat(failure.errno()).isEqualTo(Errno.EACCES);
                assertThat(failure)
                    .hasMessageStartingWith(
                        "bpf_object__load failed: object=refused, errno=EACCES(13)\n")
                    .hasMessageContaining("prog 'reads_null'")
                    .hasMessageContaining("invalid mem access 'map_value_or_null'");
              });
    }
  }

  @Test
  void loadsWithoutAProgramThatIsSwitchedOff() throws IOException {
    try (BpfObject object = BpfObject.open("refused", bytes("refused"))) {
      object.program("reads_null").setAutoload(false);
      object.load();
      assertThatThrownBy(() -> object.program("reads_null").attachCgroup(Path.of("/proc")))
          .isInstanceOf(LibbpfException.class)
          .hasMessageContaining("program=reads_null");
    }
  }

  @Test
  void refusesWhatIsNoObject() {
    assertThatThrownBy(() -> BpfObject.open("nonsense", new byte[100]))
        .isInstanceOf(LibbpfException.class)
        .hasMessageStartingWith("bpf_object__open_mem failed: object=nonsense, sizeBytes=100")
        .hasMessageContaining("libbpf: ");
  }

  @Test
  void namesProgramsAndMapsThatAreThereWhenOneIsNot() throws IOException {
    try (BpfObject object = facilities()) {
      assertThatThrownBy(() -> object.program("none"))
          .isInstanceOf(LibbpfException.class)
          .hasMessage(
              "the object has no such program: object=facilities, program=none,"
                  + " present=[emit, on_exec, on_ingress, each_socket]");
      assertThatThrownBy(() -> object.map("none"))
          .isInstanceOf(LibbpfException.class)
          .hasMessageStartingWith("the object has no such map: object=facilities, map=none");
    }
  }

  @Test
  void cannotBeUsedAfterClose() throws IOException {
    BpfObject object = facilities();
    object.load();
    BpfMap pairs = object.map("pairs");
    BpfLink link = object.program("on_exec").attach();
    object.close();
    object.close();
    link.close();
    assertThatThrownBy(() -> pairs.lookup(key(1))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(link::fd).hasMessage("the link is closed: program=on_exec");
  }

  private static BpfObject facilities() throws IOException {
    return BpfObject.open("facilities", bytes("facilities"));
  }

  private static byte[] bytes(String object) throws IOException {
    try (InputStream resource =
        LibbpfBpfIT.class.getResourceAsStream("/bpf/" + object + ".bpf.o")) {
      return Objects.requireNonNull(resource, object).readAllBytes();
    }
  }

  /// Runs `emit` and gives the number of records for which the ring had no room.
  private static int emit(
      BpfObject object, long first, int count, int discardEvery, boolean wakeup) {
    try (Arena arena = Arena.ofConfined()) {
      // struct emit_request of facilities.bpf.c
      MemorySegment request = arena.allocate(32, Long.BYTES);
      request.set(JAVA_LONG, 0, first);
      request.set(JAVA_LONG, 8, count);
      request.set(JAVA_INT, 16, discardEvery);
      request.set(JAVA_INT, 20, wakeup ? 1 : 0);
      assertThat(object.program("emit").run(request)).isZero();
      return request.get(JAVA_INT, 24);
    }
  }

  private static byte[] key(long value) {
    return ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array();
  }

  private static byte[] value(int value) {
    return ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()).putInt(value).array();
  }

  private static List<Long> keys(BpfMap map) {
    var keys = new ArrayList<Long>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment key = arena.allocate(JAVA_LONG);
      boolean found = map.nextKey(null, key);
      while (found) {
        keys.add(key.get(JAVA_LONG, 0));
        found = map.nextKey(key, key);
      }
    }
    return keys;
  }

  /// What this process's descriptors of BPF objects are, sorted.
  private static List<String> bpfDescriptors() throws IOException {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      var found = new ArrayList<String>();
      for (Path descriptor : descriptors.toList()) {
        try {
          String target = Files.readSymbolicLink(descriptor).toString();
          if (target.contains("bpf")) {
            found.add(target);
          }
        } catch (NoSuchFileException _) {
          // The descriptor of the listing itself, closed since.
        }
      }
      found.sort(null);
      return found;
    }
  }

  /// Checks that samples come in order and whole.
  private static final class Sequence implements RingReader.Handler {
    private long next;
    private long samples;
    private boolean gapsAllowed;

    @Override
    public void onSample(MemorySegment sample) {
      assertThat(sample.byteSize()).isEqualTo(SAMPLE_SIZE_BYTES);
      long[] words = sample.toArray(JAVA_LONG);
      long first = words[0];
      if (gapsAllowed) {
        assertThat(first).isGreaterThanOrEqualTo(next);
      } else {
        assertThat(first).isEqualTo(next);
      }
      long[] expected = new long[words.length];
      Arrays.setAll(expected, word -> first + word);
      assertThat(words).isEqualTo(expected);
      next = first + 1;
      samples++;
    }
  }
}
