package io.headspan.benchmarks.spool;

import io.headspan.agent.export.SpoolCodec;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpoolSettings;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.loadgen.TemporaryDirectory;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// What spooling one batch of 1,000 spans costs, step by step: encoding, appending, and being sure.
/// The spool is full most of the time, so making room is part of appending.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class SpoolBenchmark {
  private static final int SPANS = 1_000;
  private static final TenantCounts COUNTS = TenantCounts.of(Map.of("tenant", SPANS));
  private static final long SPOOL_BYTES = 64 << 20;

  private final TemporaryDirectory directory = makeDirectory();
  private final SpanBatch batch = new SyntheticSpans(1, 1_795_000_000_000_000_000L).next(SPANS);
  private final byte[] payload = SpoolCodec.encode(batch);
  private final Spool spool = Spool.open(SpoolSettings.of(directory.path(), SPOOL_BYTES), "boot");
  private long sequence;

  private static TemporaryDirectory makeDirectory() {
    try {
      return TemporaryDirectory.create("headspan-spool");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @TearDown
  public void close() throws IOException {
    spool.close();
    directory.close();
  }

  @Benchmark
  public byte[] encode() {
    return SpoolCodec.encode(batch);
  }

  @Benchmark
  public SpanBatch decode() {
    return SpoolCodec.decode(payload);
  }

  @Benchmark
  public SpooledBatch append() {
    var _ = spool.makeRoom(payload.length);
    return spool.append(++sequence, 0, COUNTS, payload);
  }

  @Benchmark
  public SpooledBatch appendAndSync() {
    SpooledBatch appended = append();
    spool.sync();
    return appended;
  }
}
