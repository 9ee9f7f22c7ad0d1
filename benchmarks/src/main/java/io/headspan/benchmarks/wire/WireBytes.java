package io.headspan.benchmarks.wire;

import com.github.luben.zstd.Zstd;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otlp.OtlpEncoder;
import java.util.Map;

/// Bytes per span on the wire: OTAP against OTLP, both compressed by zstd at the same level,
/// message by message, as gRPC does. Prints a line for each size of batch and level.
public final class WireBytes {
  private static final int STREAM_SPANS = 100_000;

  private WireBytes() {}

  /// Compressed bytes per span of both formats, for batches of one size.
  public record Figure(int batchSpans, int level, double otlpBytes, double otapBytes) {
    public double ratio() {
      return otapBytes / otlpBytes;
    }
  }

  public static void main(String[] args) {
    for (int batchSpans : new int[] {100, 1_000, 5_000}) {
      for (int level : new int[] {3, 5}) {
        Figure figure = measure(batchSpans, level);
        System.out.printf(
            "batch of %,d spans, zstd level %d: OTLP %.1f, OTAP %.1f bytes/span, ratio %.2f%n",
            batchSpans, level, figure.otlpBytes(), figure.otapBytes(), figure.ratio());
      }
    }
  }

  /// Measures one stream of 100,000 spans, its beginning included.
  public static Figure measure(int batchSpans, int level) {
    SyntheticSpans spans = new SyntheticSpans(1, 1_795_000_000_000_000_000L);
    long otlp = 0;
    long otap = 0;
    try (OtapEncoder encoder = new OtapEncoder()) {
      for (int i = 0; i < STREAM_SPANS / batchSpans; i++) {
        SpanBatch batch = spans.next(batchSpans);
        otlp += Zstd.compress(OtlpEncoder.encode(batch).toByteArray(), level).length;
        otap += Zstd.compress(encoder.encode(i, batch, Map.of()).toByteArray(), level).length;
      }
    }
    double sent = STREAM_SPANS;
    return new Figure(batchSpans, level, otlp / sent, otap / sent);
  }
}
