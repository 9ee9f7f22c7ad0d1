package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.DefaultHttp2HeadersEncoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/// The `headers` field of one stream's batches: HPACK blocks (RFC 7541) whose dynamic table lives
/// as long as the stream. One instance serves one direction of one stream; every batch's block goes
/// through it in order, also that of a batch which is rejected. Not thread-safe.
public final class OtapHeaders {
  /// Largest sum of names and values of one batch.
  private static final long MAX_HEADER_LIST_BYTES = 64 * 1024;

  private static final int STREAM = 1;

  private final DefaultHttp2HeadersDecoder decoder =
      new DefaultHttp2HeadersDecoder(false, MAX_HEADER_LIST_BYTES);
  private final DefaultHttp2HeadersEncoder encoder =
      new DefaultHttp2HeadersEncoder(Http2HeadersEncoder.NEVER_SENSITIVE);

  /// The block for `headers`; empty if there are none. Names are sent in lower case.
  public ByteString encode(Map<String, String> headers) {
    if (headers.isEmpty()) {
      return ByteString.EMPTY;
    }
    Http2Headers block = new DefaultHttp2Headers(false);
    headers.forEach(
        (name, value) -> block.add(latin1(name.toLowerCase(Locale.ROOT)), latin1(value)));
    ByteBuf out = Unpooled.buffer();
    try {
      encoder.encodeHeaders(STREAM, block, out);
      return ByteString.copyFrom(ByteBufUtil.getBytes(out));
    } catch (Http2Exception e) {
      throw new OtapException(
          OtapException.Kind.INVALID, "cannot encode batch headers: " + e.getMessage(), e);
    } finally {
      out.release();
    }
  }

  /// The headers of `block` in its order; values of a name that comes again are joined by ", ".
  ///
  /// @throws OtapException of kind INVALID if the block is not HPACK or too large; the dynamic
  ///   table is then unknown and the stream must end
  public Map<String, String> decode(ByteString block) {
    if (block.isEmpty()) {
      return Map.of();
    }
    ByteBuf in = Unpooled.wrappedBuffer(block.asReadOnlyByteBuffer());
    try {
      Map<String, String> headers = new LinkedHashMap<>();
      for (Map.Entry<CharSequence, CharSequence> header : decoder.decodeHeaders(STREAM, in)) {
        headers.merge(
            utf8(header.getKey()), utf8(header.getValue()), (first, next) -> first + ", " + next);
      }
      return headers;
    } catch (Http2Exception | RuntimeException e) {
      throw new OtapException(
          OtapException.Kind.INVALID,
          "bad batch headers: bytes="
              + block.size()
              + ", reason="
              + e.getMessage()
              + "; send an HPACK block that continues the stream's dynamic table",
          e);
    } finally {
      in.release();
    }
  }

  /// HPACK strings are bytes: one char per byte of the UTF-8 form.
  private static String latin1(String text) {
    return new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }

  private static String utf8(CharSequence bytes) {
    return new String(
        bytes.toString().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
  }
}
