package io.headspan.benchmarks.ingest;

import com.github.luben.zstd.ZstdCompressCtx;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Messages encoded and compressed before the clock starts, so that what a run measures is the
/// receiver and not the sender that shares its two cores. Every batch holds spans of its own.
///
/// @param streams the messages of each stream, in order, each a whole zstd frame
/// @param spans in all of them
/// @param bytes of all messages with gRPC's 5-byte prefix each
record PreparedLoad(List<List<byte[]>> streams, long spans, long bytes) {
  /// The zstd level of gRPC messages, for both protocols the same.
  private static final int ZSTD_LEVEL = 3;

  private static final int GRPC_PREFIX_BYTES = 5;

  /// How a sender encodes its batches.
  enum Encoding {
    OTAP,
    OTLP
  }

  /// How much to prepare.
  ///
  /// @param streams how many streams
  /// @param batches in each
  /// @param batchSpans in each batch
  record Shape(int streams, int batches, int batchSpans) {}

  /// Prepares a load.
  ///
  /// @param seed another one gives other spans; consecutive runs must be at least `shape.streams()`
  ///   apart
  /// @param startNs of the first trace, ns since the Unix epoch
  static PreparedLoad of(Encoding encoding, Shape shape, long seed, long startNs)
      throws InterruptedException {
    List<Future<List<byte[]>>> pending = new ArrayList<>();
    try (ExecutorService threads =
        Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
      for (int i = 0; i < shape.streams; i++) {
        long streamSeed = seed + i;
        pending.add(
            threads.submit(() ->
                switch (encoding) {
                  case OTAP -> otap(shape, streamSeed, startNs);
                  case OTLP -> otlp(shape, streamSeed, startNs);
                }));
      }
    }
    List<List<byte[]>> streams = new ArrayList<>();
    long bytes = 0;
    for (Future<List<byte[]>> stream : pending) {
      try {
        streams.add(stream.get());
      } catch (ExecutionException e) {
        throw new IllegalStateException("cannot prepare a load: encoding=" + encoding, e);
      }
    }
    for (List<byte[]> stream : streams) {
      for (byte[] message : stream) {
        bytes += message.length + GRPC_PREFIX_BYTES;
      }
    }
    return new PreparedLoad(
        streams, (long) shape.streams * shape.batches * shape.batchSpans, bytes);
  }

  private static List<byte[]> otap(Shape shape, long seed, long startNs) {
    List<byte[]> messages = new ArrayList<>();
    SyntheticSpans source = new SyntheticSpans(seed, startNs);
    try (ZstdCompressCtx zstd = new ZstdCompressCtx();
        OtapEncoder encoder = new OtapEncoder()) {
      zstd.setLevel(ZSTD_LEVEL);
      for (int i = 0; i < shape.batches; i++) {
        Map<String, String> headers =
            Map.of(
                "headspan-agent-id", "bench-" + seed,
                "headspan-boot-id", String.valueOf(startNs),
                "headspan-sequence", String.valueOf(i));
        BatchArrowRecords batch = encoder.encode(i, source.next(shape.batchSpans), headers);
        messages.add(zstd.compress(batch.toByteArray()));
      }
    }
    return messages;
  }

  private static List<byte[]> otlp(Shape shape, long seed, long startNs) {
    List<byte[]> messages = new ArrayList<>();
    SyntheticSpans source = new SyntheticSpans(seed, startNs);
    try (ZstdCompressCtx zstd = new ZstdCompressCtx()) {
      zstd.setLevel(ZSTD_LEVEL);
      for (int i = 0; i < shape.batches; i++) {
        SpanBatch batch = source.next(shape.batchSpans);
        // TracesData and ExportTraceServiceRequest have the same form.
        TracesData request = OtlpEncoder.encode(batch);
        messages.add(zstd.compress(request.toByteArray()));
      }
    }
    return messages;
  }
}
