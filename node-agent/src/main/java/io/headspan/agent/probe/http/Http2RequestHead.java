package io.headspan.agent.probe.http;

import io.netty.handler.codec.http2.Http2Headers;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What may be kept of an HTTP/2 request's header list, written down as an HTTP/1.1 head, so that
/// one reader does for both: method, path without query, and the headers that carry a span context.
/// The reader of such heads judges what it finds; here it is only made sure that nothing a peer
/// sends can look like another line.
final class Http2RequestHead {
  private static final List<String> CONTEXT_HEADERS =
      List.of(
          "traceparent",
          "tracestate",
          "b3",
          "x-b3-traceid",
          "x-b3-spanid",
          "x-b3-sampled",
          "x-b3-flags");
  private static final int VALUE_MAX = 4096;

  private Http2RequestHead() {}

  static byte[] of(Http2Headers headers) {
    var head = new ByteArrayOutputStream(128);
    CharSequence method = headers.method();
    append(head, method == null ? "" : method, true);
    head.write(' ');
    append(head, target(headers.path(), method), true);
    append(head, " HTTP/1.1\r\n", false);
    for (String name : CONTEXT_HEADERS) {
      for (CharSequence value : headers.getAll(name)) {
        append(head, name, false);
        append(head, ": ", false);
        append(head, value.length() > VALUE_MAX ? "" : value, true);
        append(head, "\r\n", false);
      }
    }
    append(head, "\r\n", false);
    return head.toByteArray();
  }

  static boolean isGrpc(Http2Headers headers) {
    CharSequence type = headers.get("content-type");
    String grpc = "application/grpc";
    return type != null
        && type.length() >= grpc.length()
        && grpc.contentEquals(type.subSequence(0, grpc.length()))
        && (type.length() == grpc.length() || "+;".indexOf(type.charAt(grpc.length())) >= 0);
  }

  /// The path without the query. A CONNECT has none (RFC 9113, section 8.5).
  private static CharSequence target(@Nullable CharSequence path, @Nullable CharSequence method) {
    if (path == null) {
      return method != null && "CONNECT".contentEquals(method) ? "-" : "";
    }
    for (int i = 0; i < path.length(); i++) {
      char c = path.charAt(i);
      if (c == '?' || c == '#') {
        return i == 0 ? "/" : path.subSequence(0, i);
      }
    }
    return path;
  }

  /// @param foreign whether a peer sent it: what could end the line is made something that no
  ///   method, path or context may hold
  private static void append(ByteArrayOutputStream to, CharSequence text, boolean foreign) {
    byte[] bytes = text.toString().getBytes(StandardCharsets.ISO_8859_1);
    for (byte b : bytes) {
      to.write(foreign && (b == '\r' || b == '\n' || b == 0) ? 0x7f : b);
    }
  }
}
