package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import com.google.protobuf.UnsafeByteOperations;
import io.grpc.Decompressor;
import io.grpc.DecompressorRegistry;
import io.grpc.MethodDescriptor;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;

/// A gRPC or HTTP message as it came off the wire, neither expanded nor parsed yet: what waits for
/// a decode thread costs its compressed size, and an event loop only ever copies bytes.
///
/// gRPC gives a marshaller the stream of a [Decompressor], if the frame is marked as compressed, or
/// the frame itself. [#decompressors()] are such that nothing is expanded there: they pass on the
/// compressed bytes behind a two-byte mark, which [#MARSHALLER] takes off again. The mark begins
/// with 0xff, which no protobuf message does (wire type 7 does not exist), so a frame that was not
/// marked as compressed cannot be mistaken for one that was, and one that pretends is read within
/// the same limits.
final class EncodedMessage {
  /// Bytes that a mark adds to a compressed frame.
  static final int MARK_BYTES = 2;

  /// Reads requests as they are. Requests are never written.
  static final MethodDescriptor.Marshaller<EncodedMessage> MARSHALLER = new Marshaller();

  private static final byte MARK = (byte) 0xff;

  private final Compression compression;
  private final byte[] bytes;
  private final int offset;

  private EncodedMessage(Compression compression, byte[] bytes, int offset) {
    this.compression = compression;
    this.bytes = bytes;
    this.offset = offset;
  }

  /// A message whose compression was announced beside it. `bytes` must not be changed afterwards.
  static EncodedMessage of(Compression compression, byte[] bytes) {
    return new EncodedMessage(compression, bytes, 0);
  }

  /// The decompressors to give to a gRPC service, one per encoding that is understood.
  static DecompressorRegistry decompressors() {
    DecompressorRegistry registry = DecompressorRegistry.emptyInstance();
    for (Map.Entry<String, Compression> encoding : Compression.grpcEncodings().entrySet()) {
      registry = registry.with(new Marking(encoding.getKey(), encoding.getValue()), true);
    }
    return registry;
  }

  /// Size on the wire, without framing.
  int wireBytes() {
    return bytes.length - offset;
  }

  /// The message's bytes, expanded if need be; possibly the array that holds the message, so not to
  /// be changed.
  ///
  /// @throws MessageException if they would be more than `limitBytes`, or cannot be expanded
  ByteString expand(int limitBytes) {
    if (compression == Compression.IDENTITY) {
      if (wireBytes() > limitBytes) {
        throw MessageException.tooLarge(limitBytes);
      }
      return UnsafeByteOperations.unsafeWrap(bytes, offset, wireBytes());
    }
    return UnsafeByteOperations.unsafeWrap(
        compression.expand(bytes, offset, wireBytes(), limitBytes));
  }

  /// Parses expanded bytes, with byte fields that share them.
  ///
  /// @throws MessageException if they are no such message
  static <M> M parse(Parser<M> parser, ByteString expanded) {
    try {
      CodedInputStream in = expanded.newCodedInput();
      in.enableAliasing(true);
      M message = parser.parseFrom(in);
      in.checkLastTagWas(0);
      return message;
    } catch (InvalidProtocolBufferException e) {
      throw MessageException.malformed("cannot parse protobuf", e);
    }
  }

  private record Marking(String name, Compression compression) implements Decompressor {
    @Override
    public String getMessageEncoding() {
      return name;
    }

    @Override
    public InputStream decompress(InputStream frame) throws IOException {
      try (frame) {
        byte[] marked = new byte[MARK_BYTES + frame.available()];
        marked[0] = MARK;
        marked[1] = compression.mark();
        int read = frame.readNBytes(marked, MARK_BYTES, marked.length - MARK_BYTES);
        return new ByteArrayInputStream(marked, 0, MARK_BYTES + read);
      }
    }
  }

  private static final class Marshaller implements MethodDescriptor.Marshaller<EncodedMessage> {
    @Override
    public InputStream stream(EncodedMessage value) {
      return new ByteArrayInputStream(value.bytes, value.offset, value.wireBytes());
    }

    @Override
    public EncodedMessage parse(InputStream stream) {
      byte[] bytes;
      try {
        // Either kind of stream holds the whole frame, so what is available is all there is.
        bytes = new byte[stream.available()];
        if (stream.readNBytes(bytes, 0, bytes.length) < bytes.length) {
          throw new EOFException("bytes=" + bytes.length);
        }
      } catch (IOException e) {
        throw new UncheckedIOException("cannot read a gRPC frame", e);
      }
      if (bytes.length >= MARK_BYTES && bytes[0] == MARK) {
        Optional<Compression> compression = Compression.ofMark(bytes[1]);
        if (compression.isPresent()) {
          return new EncodedMessage(compression.get(), bytes, MARK_BYTES);
        }
      }
      return new EncodedMessage(Compression.IDENTITY, bytes, 0);
    }
  }
}
