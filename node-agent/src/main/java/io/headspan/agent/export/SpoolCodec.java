package io.headspan.agent.export;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import com.google.protobuf.InvalidProtocolBufferException;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otap.OtapDecoder;
import io.headspan.wire.otap.OtapEncoder;
import io.headspan.wire.otap.OtapException;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.Map;

/// Batches as the spool holds them: the first message of an OTel-Arrow stream, so that it needs no
/// dictionaries but its own, as one zstd frame.
public final class SpoolCodec {
  private static final int LEVEL = 1;

  /// No batch of ours is larger; what says so is damaged.
  private static final long DECODED_BYTES_MAX = 1 << 30;

  private SpoolCodec() {}

  /// The batch as bytes.
  public static byte[] encode(SpanBatch batch) {
    try (OtapEncoder encoder = new OtapEncoder()) {
      return Zstd.compress(encoder.encode(0, batch, Map.of()).toByteArray(), LEVEL);
    }
  }

  /// The batch of these bytes.
  ///
  /// @throws OtapException if they are not of [#encode]
  public static SpanBatch decode(byte[] payload) {
    try (OtapDecoder decoder = new OtapDecoder()) {
      long bytes = Zstd.getFrameContentSize(payload);
      if (bytes < 0 || bytes > DECODED_BYTES_MAX) {
        throw new OtapException(
            OtapException.Kind.INVALID, "spooled batch has no believable size: bytes=" + bytes);
      }
      return decoder.decode(
          BatchArrowRecords.parseFrom(Zstd.decompress(payload, Math.toIntExact(bytes))));
    } catch (ZstdException | InvalidProtocolBufferException e) {
      throw new OtapException(
          OtapException.Kind.INVALID, "spooled batch cannot be read: " + e.getMessage(), e);
    }
  }
}
