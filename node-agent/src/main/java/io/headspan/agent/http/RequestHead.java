package io.headspan.agent.http;

import io.headspan.wire.TraceContext;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The head of an HTTP/1.x request, reduced to what may be kept: method, path without query, the
/// minor version, and the span context. Every other header, the query, a user name in the target
/// and the body are never copied out of the bytes.
///
/// The bytes come from the network, so they may be anything: [#parse] never throws and looks at
/// each byte a bounded number of times.
///
/// @param method the request's method as sent, at most 32 characters
/// @param path path of the target without query and fragment, still percent-encoded; "*" for
///   `OPTIONS *`, "" for `CONNECT`
/// @param minorVersion 0 or 1 as a rule; the digit after `HTTP/1.`
/// @param carried whether the request carried a span context
/// @param context the span context, only if `carried` is [CarriedContext#VALID]
public record RequestHead(
    String method,
    String path,
    int minorVersion,
    CarriedContext carried,
    @Nullable TraceContext context)
    implements ParsedHead {
  private static final int METHOD_MAX = 32;
  private static final int SCHEME_MAX = 16;
  private static final int TRACE_STATE_MEMBERS_MAX = 32;
  private static final int TLS_HANDSHAKE = 0x16;

  private static final String[] METHODS = {
    "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE"
  };
  private static final byte[] TRACEPARENT = ascii("traceparent");
  private static final byte[] TRACESTATE = ascii("tracestate");
  private static final byte[] B3_SINGLE = ascii("b3");
  private static final byte[] B3_TRACE = ascii("x-b3-traceid");
  private static final byte[] B3_SPAN = ascii("x-b3-spanid");
  private static final byte[] B3_SAMPLED = ascii("x-b3-sampled");
  private static final byte[] B3_FLAGS = ascii("x-b3-flags");
  private static final byte[] VERSION_1 = ascii("HTTP/1.");
  private static final byte[] VERSION_2 = ascii("HTTP/2");

  /// Reads a request's first bytes.
  ///
  /// @param bytes the request from its first byte on; may go on into the body, may end anywhere
  /// @param complete false if bytes of the head may be missing at the end
  public static ParsedHead parse(byte[] bytes, boolean complete) {
    // RFC 9112 section 2.2: a server ignores empty lines before the request line.
    int at = 0;
    while (at < bytes.length && (bytes[at] == '\r' || bytes[at] == '\n')) {
      at++;
    }
    if (at == bytes.length) {
      return UnreadableHead.EMPTY;
    }
    if (bytes[at] == TLS_HANDSHAKE) {
      return UnreadableHead.TLS;
    }
    int methodFrom = at;
    while (at < bytes.length && isToken(bytes[at])) {
      at++;
    }
    int methodTo = at;
    if (methodTo == methodFrom || methodTo - methodFrom > METHOD_MAX) {
      return UnreadableHead.NOT_HTTP;
    }
    if (at == bytes.length) {
      return UnreadableHead.CUT_OFF;
    }
    if (bytes[at] != ' ') {
      return UnreadableHead.NOT_HTTP;
    }
    at = skipSpaces(bytes, at);
    int targetFrom = at;
    while (at < bytes.length && isTargetByte(bytes[at])) {
      at++;
    }
    int targetTo = at;
    if (at == bytes.length) {
      return UnreadableHead.CUT_OFF;
    }
    if (bytes[at] == '\r' || bytes[at] == '\n') {
      return UnreadableHead.VERSION;
    }
    if (bytes[at] != ' ' || targetTo == targetFrom) {
      return UnreadableHead.TARGET;
    }
    at = skipSpaces(bytes, at);
    int lineEnd = indexOf(bytes, (byte) '\n', at, bytes.length);
    if (lineEnd < 0) {
      return UnreadableHead.CUT_OFF;
    }
    int versionTo = trimEnd(bytes, at, lineEnd);
    if (startsWith(bytes, at, versionTo, VERSION_2)) {
      return UnreadableHead.HTTP_2;
    }
    int digit = at + VERSION_1.length;
    if (!startsWith(bytes, at, versionTo, VERSION_1)
        || versionTo != digit + 1
        || bytes[digit] < '0'
        || bytes[digit] > '9') {
      return UnreadableHead.VERSION;
    }
    String method = method(bytes, methodFrom, methodTo);
    String path = path(bytes, targetFrom, targetTo, method);
    if (path == null) {
      return UnreadableHead.TARGET;
    }
    ContextHeaders headers = new ContextHeaders();
    boolean whole = headers.read(bytes, lineEnd + 1);
    return headers.head(method, path, bytes[digit] - '0', whole || complete);
  }

  /// A header that may carry a part of a span context, and what a request says there.
  private static final class Field {
    private final byte[] lowerName;
    private @Nullable String value;
    private @Nullable StringBuilder list;
    private int count;
    private boolean folded;

    Field(byte[] lowerName) {
      this.lowerName = lowerName;
    }

    void add(String more) {
      count++;
      if (value == null) {
        value = more;
        return;
      }
      if (list == null) {
        list = new StringBuilder(value);
      }
      list.append(',').append(more);
    }

    boolean isThere() {
      return count > 0;
    }

    /// The value of a header that may be there once; null if it is not there, or more than once, or
    /// folded over several lines, as no sender does with these.
    @Nullable String single() {
      return count == 1 && !folded ? value : null;
    }

    /// The values as one list.
    @Nullable String joined() {
      if (folded) {
        return null;
      }
      return list == null ? value : list.toString();
    }
  }

  /// The headers of W3C Trace Context and B3, collected over the header lines. A context is taken
  /// from `traceparent`; if that is not there or not valid, from `b3`; then from `x-b3-...`.
  private static final class ContextHeaders {
    private final Field parent = new Field(TRACEPARENT);

    /// Several of them are one list (W3C Trace Context section 3.3.1.1, RFC 9110 section 5.3).
    private final Field state = new Field(TRACESTATE);

    private final Field b3 = new Field(B3_SINGLE);
    private final Field b3Trace = new Field(B3_TRACE);
    private final Field b3Span = new Field(B3_SPAN);
    private final Field b3Sampled = new Field(B3_SAMPLED);
    private final Field b3Flags = new Field(B3_FLAGS);

    /// Goes over the header lines from `at`; true if it met the empty line that ends them. A line
    /// without its end says nothing: its value may go on behind the cut.
    boolean read(byte[] bytes, int at) {
      Field field = null;
      while (true) {
        int lineEnd = indexOf(bytes, (byte) '\n', at, bytes.length);
        if (lineEnd < 0) {
          return false;
        }
        int end = lineEnd > at && bytes[lineEnd - 1] == '\r' ? lineEnd - 1 : lineEnd;
        if (end == at) {
          return true;
        }
        if (bytes[at] == ' ' || bytes[at] == '\t') {
          // A folded line goes on with the header before it.
          if (field != null) {
            field.folded = true;
          }
        } else {
          field = field(bytes, at, end);
          if (field != null) {
            field.add(value(bytes, at + field.lowerName.length + 1, end));
          }
        }
        at = lineEnd + 1;
      }
    }

    private @Nullable Field field(byte[] bytes, int from, int to) {
      return switch (bytes[from] | 0x20) {
        case 't' -> named(bytes, from, to, parent, state);
        case 'b' -> named(bytes, from, to, b3);
        case 'x' -> named(bytes, from, to, b3Trace, b3Span, b3Sampled, b3Flags);
        default -> null;
      };
    }

    private static @Nullable Field named(byte[] bytes, int from, int to, Field... fields) {
      for (Field field : fields) {
        if (isHeader(bytes, from, to, field.lowerName)) {
          return field;
        }
      }
      return null;
    }

    RequestHead head(String method, String path, int minorVersion, boolean complete) {
      Optional<TraceContext> context = traceContext().or(this::b3Single).or(this::b3Several);
      CarriedContext carried;
      if (context.isPresent()) {
        carried = CarriedContext.VALID;
      } else if (saysContext()) {
        carried = CarriedContext.INVALID;
      } else {
        carried = complete ? CarriedContext.NONE : CarriedContext.UNKNOWN;
      }
      return new RequestHead(method, path, minorVersion, carried, context.orElse(null));
    }

    /// Whether there is a header that should hold a context.
    private boolean saysContext() {
      String single = b3.single();
      return parent.isThere()
          || (b3.isThere() && (single == null || !B3.saysOnlySampling(single)))
          || b3Trace.isThere()
          || b3Span.isThere();
    }

    private Optional<TraceContext> traceContext() {
      String list = state.joined();
      return TraceContext.parse(parent.single(), list != null && isTraceState(list) ? list : null);
    }

    private Optional<TraceContext> b3Single() {
      String single = b3.single();
      return single == null ? Optional.empty() : B3.parse(single);
    }

    private Optional<TraceContext> b3Several() {
      return B3.parse(b3Trace.single(), b3Span.single(), b3Sampled.single(), b3Flags.single());
    }
  }

  /// Whether `list` may be kept: printable, at most 32 members, each `key=value`. Otherwise it is
  /// left out and `traceparent` counts alone (W3C Trace Context section 3.3).
  private static boolean isTraceState(String list) {
    int members = 1;
    boolean hasEquals = false;
    boolean blank = true;
    for (int i = 0; i < list.length(); i++) {
      char c = list.charAt(i);
      if (c == ',') {
        if (!blank && !hasEquals) {
          return false;
        }
        members++;
        hasEquals = false;
        blank = true;
      } else if (c == '=' && !blank) {
        hasEquals = true;
      } else if ((c < 0x20 && c != '\t') || c > 0x7e) {
        return false;
      } else if (c != ' ' && c != '\t') {
        blank = false;
      }
    }
    return (blank || hasEquals) && members <= TRACE_STATE_MEMBERS_MAX;
  }

  /// The path of a target in origin form, absolute form or asterisk form; "" for `CONNECT`, whose
  /// target is an authority; null if it is none of these.
  private static @Nullable String path(byte[] bytes, int from, int to, String method) {
    if (method.equals("CONNECT")) {
      return "";
    }
    if (bytes[from] == '*' && to == from + 1) {
      return "*";
    }
    int begin = from;
    if (bytes[from] != '/') {
      int authority = authority(bytes, from, to);
      if (authority < 0) {
        return null;
      }
      begin = authority;
      while (begin < to && bytes[begin] != '/' && bytes[begin] != '?' && bytes[begin] != '#') {
        begin++;
      }
      if (begin == to || bytes[begin] != '/') {
        return "/";
      }
    }
    int end = begin;
    while (end < to && bytes[end] != '?' && bytes[end] != '#') {
      end++;
    }
    return new String(bytes, begin, end - begin, StandardCharsets.UTF_8);
  }

  /// Where the authority of an absolute-form target begins, or -1.
  private static int authority(byte[] bytes, int from, int to) {
    int at = from;
    while (at < to && at - from < SCHEME_MAX && isToken(bytes[at])) {
      at++;
    }
    boolean separator =
        at > from
            && at + 2 < to
            && bytes[at] == ':'
            && bytes[at + 1] == '/'
            && bytes[at + 2] == '/';
    return separator ? at + 3 : -1;
  }

  private static String method(byte[] bytes, int from, int to) {
    for (String known : METHODS) {
      if (known.length() == to - from && equalsAscii(bytes, from, known)) {
        return known;
      }
    }
    return new String(bytes, from, to - from, StandardCharsets.US_ASCII);
  }

  private static boolean equalsAscii(byte[] bytes, int from, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (bytes[from + i] != text.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  /// Whether the line from `from` to `to` is the header `lowerName`, whatever its case. White space
  /// before the colon makes it another header (RFC 9112 section 5.1).
  private static boolean isHeader(byte[] bytes, int from, int to, byte[] lowerName) {
    int colon = from + lowerName.length;
    if (colon >= to || bytes[colon] != ':') {
      return false;
    }
    for (int i = 0; i < lowerName.length; i++) {
      if ((bytes[from + i] | 0x20) != lowerName[i]) {
        return false;
      }
    }
    return true;
  }

  private static String value(byte[] bytes, int from, int to) {
    int begin = from;
    while (begin < to && (bytes[begin] == ' ' || bytes[begin] == '\t')) {
      begin++;
    }
    int end = trimEnd(bytes, begin, to);
    return new String(bytes, begin, end - begin, StandardCharsets.ISO_8859_1);
  }

  private static int trimEnd(byte[] bytes, int from, int to) {
    int end = to;
    while (end > from
        && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t' || bytes[end - 1] == '\r')) {
      end--;
    }
    return end;
  }

  private static int skipSpaces(byte[] bytes, int from) {
    int at = from;
    while (at < bytes.length && bytes[at] == ' ') {
      at++;
    }
    return at;
  }

  private static int indexOf(byte[] bytes, byte value, int from, int to) {
    for (int i = from; i < to; i++) {
      if (bytes[i] == value) {
        return i;
      }
    }
    return -1;
  }

  private static boolean startsWith(byte[] bytes, int from, int to, byte[] prefix) {
    if (to - from < prefix.length) {
      return false;
    }
    for (int i = 0; i < prefix.length; i++) {
      if (bytes[from + i] != prefix[i]) {
        return false;
      }
    }
    return true;
  }

  /// A `tchar` of RFC 9110 section 5.6.2.
  private static boolean isToken(byte b) {
    return (b >= 'a' && b <= 'z')
        || (b >= 'A' && b <= 'Z')
        || (b >= '0' && b <= '9')
        || switch (b) {
          case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~' -> true;
          default -> false;
        };
  }

  /// Anything but blanks and control characters. Bytes beyond ASCII do not belong in a target, but
  /// servers accept them.
  private static boolean isTargetByte(byte b) {
    return b < 0 || (b > 0x20 && b != 0x7f);
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
