package io.headspan.benchmarks.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.headspan.agent.libbpf.RingReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Time to take one record out of a ring of 1 MiB. The ring is full of committed records once and
/// for all; each batch only moves the producer position on, so that nothing but reading is timed.
/// The data lie in memory twice, as in the kernel's mapping they lie in the address space twice.
///
/// `mvn package -DskipTests`, then `java -cp
/// "benchmarks/target/headspan-benchmarks.jar:benchmarks/target/lib/*" org.openjdk.jmh.Main
/// RingBufferBenchmark`.
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 2, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class RingBufferBenchmark {
  private static final int BATCH = 1_000;
  private static final int SIZE_BYTES = 1 << 20;
  private static final int HEADER_SIZE_BYTES = 8;

  /// Header and sample together: a power of two, so that records lie alike in each turn.
  @Param({"64", "128", "512"})
  public int recordSizeBytes;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment consumerPage = arena.allocate(4096, 4096);
  private final MemorySegment producerPage = arena.allocate(4096, 4096);
  private final MemorySegment data = arena.allocate(2L * SIZE_BYTES, 4096);
  private final RingReader reader = new RingReader(consumerPage, producerPage, data.asReadOnly());
  private long sum;

  @Setup
  public void fill() {
    for (long offset = 0; offset < data.byteSize(); offset += recordSizeBytes) {
      data.set(JAVA_INT, offset, recordSizeBytes - HEADER_SIZE_BYTES);
      for (long word = HEADER_SIZE_BYTES; word < recordSizeBytes; word += Long.BYTES) {
        data.set(JAVA_LONG, offset + word, offset + word);
      }
    }
  }

  @TearDown
  public void free() {
    arena.close();
  }

  /// A handler that reads two fields, as a counter would.
  @Benchmark
  @OperationsPerInvocation(BATCH)
  public long readsTwoFields() {
    produceBatch();
    reader.drain(sample -> sum += sample.get(JAVA_LONG, 0) ^ sample.get(JAVA_LONG, 48), BATCH);
    return sum;
  }

  /// A handler that copies the sample, as a decoder of heads does.
  @Benchmark
  @OperationsPerInvocation(BATCH)
  public long copiesTheSample() {
    produceBatch();
    reader.drain(sample -> sum += copy(sample).length, BATCH);
    return sum;
  }

  private static byte[] copy(MemorySegment sample) {
    return sample.toArray(JAVA_BYTE);
  }

  private void produceBatch() {
    long produced = producerPage.get(JAVA_LONG, 0);
    producerPage.set(JAVA_LONG, 0, produced + (long) BATCH * recordSizeBytes);
  }
}
