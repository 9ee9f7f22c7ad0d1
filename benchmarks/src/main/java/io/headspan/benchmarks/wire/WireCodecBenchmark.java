package io.headspan.benchmarks.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapDecoder;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/// ns per span of the codecs, over one stream of 20 batches of 1,000 spans each: the first ones
/// carry schemas and most of the dictionaries, as on a real stream. Messages are parsed from their
/// bytes in every run; gRPC's compression is not part of it.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
    value = 1,
    jvmArgsAppend = {"-Xms1g", "-Xmx1g", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 4, time = 2)
@Measurement(iterations = 5, time = 2)
public class WireCodecBenchmark {
  private static final int BATCHES = 20;
  private static final int SPANS = 1_000;

  private final List<SpanBatch> batches = new ArrayList<>();
  private final List<byte[]> otlp = new ArrayList<>();
  private final List<byte[]> otap = new ArrayList<>();

  @Setup
  public void generate() {
    SyntheticSpans spans = new SyntheticSpans(1, 1_795_000_000_000_000_000L);
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < BATCHES; i++) {
        SpanBatch batch = spans.next(SPANS);
        batches.add(batch);
        otlp.add(OtlpEncoder.encode(batch).toByteArray());
        otap.add(encoder.encode(i, batch, Map.of()).toByteArray());
      }
    }
  }

  @Benchmark
  @OperationsPerInvocation(BATCHES * SPANS)
  public void otapDecode(Blackhole blackhole) throws InvalidProtocolBufferException {
    try (OtapDecoder decoder = new OtapDecoder()) {
      for (byte[] message : otap) {
        blackhole.consume(decoder.decode(BatchArrowRecords.parseFrom(message)));
      }
    }
  }

  @Benchmark
  @OperationsPerInvocation(BATCHES * SPANS)
  public void otapEncode(Blackhole blackhole) {
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < BATCHES; i++) {
        blackhole.consume(encoder.encode(i, batches.get(i), Map.of()).toByteArray());
      }
    }
  }

  @Benchmark
  @OperationsPerInvocation(BATCHES * SPANS)
  public void otlpDecode(Blackhole blackhole) throws InvalidProtocolBufferException {
    for (byte[] message : otlp) {
      blackhole.consume(OtlpDecoder.decode(ExportTraceServiceRequest.parseFrom(message)));
    }
  }

  @Benchmark
  @OperationsPerInvocation(BATCHES * SPANS)
  public void otlpEncode(Blackhole blackhole) {
    for (SpanBatch batch : batches) {
      blackhole.consume(OtlpEncoder.encode(batch).toByteArray());
    }
  }
}
