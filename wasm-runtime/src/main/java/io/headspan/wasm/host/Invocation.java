package io.headspan.wasm.host;

import io.headspan.wasm.engine.GuestMemory;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.TrapKind;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/// One run of a function: its request, the response as it grows, and what host functions keep
/// between calls. Used by the thread that runs the guest.
public final class Invocation {
  /// Enough for an error message of a failed guest; the rest is dropped.
  private static final int ERROR_OUTPUT_BYTES_MAX = 4_096;

  private static final int HEADERS_MAX = 64;
  private static final int HEADER_BYTES_MAX = 8_192;

  /// Those that frame the message or manage the connection are the server's.
  private static final Set<String> SERVER_HEADERS =
      Set.of(
          "connection",
          "content-length",
          "date",
          "keep-alive",
          "proxy-connection",
          "server",
          "te",
          "trailer",
          "transfer-encoding",
          "upgrade");

  private final GuestRequest request;
  private final Clock clock;
  private final GuestRandom random;
  private final int responseBytesMax;
  private final List<GuestResponse.Header> headers = new ArrayList<>();
  private byte[] output = {};
  private int outputBytes;
  private byte[] errorOutput = {};
  private int errorOutputBytes;
  private int inputPosition;
  private int status = 200;
  private int headerBytes;
  private long hostCalls;

  Invocation(GuestRequest request, Clock clock, GuestRandom random, int responseBytesMax) {
    this.request = request;
    this.clock = clock;
    this.random = random;
    this.responseBytesMax = responseBytesMax;
  }

  public GuestRequest request() {
    return request;
  }

  /// How often the guest called the host.
  public long hostCalls() {
    return hostCalls;
  }

  /// What the guest wrote to its standard error, as far as it was kept.
  public String errorOutput() {
    return new String(errorOutput, 0, errorOutputBytes, StandardCharsets.UTF_8);
  }

  GuestResponse response() {
    return new GuestResponse(status, List.copyOf(headers), Arrays.copyOf(output, outputBytes));
  }

  void countHostCall() {
    hostCalls++;
  }

  Clock clock() {
    return clock;
  }

  GuestRandom random() {
    return random;
  }

  int inputLeft() {
    return request.body().length - inputPosition;
  }

  /// Counts the next bytes of the request's body as read.
  ///
  /// @return where they begin
  int advanceInput(int length) {
    int from = inputPosition;
    inputPosition += length;
    return from;
  }

  /// Makes room for `length` more bytes of the response.
  ///
  /// @return where they go in [#output]
  int growOutput(int length) {
    if (length > responseBytesMax - outputBytes) {
      throw new GuestTrap(
          TrapKind.RESPONSE_TOO_LARGE,
          "the response is larger than allowed: limitBytes=" + responseBytesMax);
    }
    int at = outputBytes;
    output = grown(output, at + length);
    outputBytes += length;
    return at;
  }

  byte[] output() {
    return output;
  }

  /// Keeps what there is room for and drops the rest.
  void writeError(GuestMemory memory, int address, int length) {
    int room = ERROR_OUTPUT_BYTES_MAX - errorOutputBytes;
    int kept = Integer.compareUnsigned(length, room) < 0 ? length : room;
    errorOutput = grown(errorOutput, errorOutputBytes + kept);
    memory.read(address, errorOutput, errorOutputBytes, kept);
    errorOutputBytes += kept;
  }

  void setStatus(int status) {
    if (status < 200 || status > 599) {
      throw protocol("the guest set a status outside of 200 to 599: status=" + status);
    }
    this.status = status;
  }

  void addHeader(String name, String value) {
    String lower = name.toLowerCase(Locale.ROOT);
    if (!isToken(lower) || SERVER_HEADERS.contains(lower)) {
      throw protocol("the guest set a header that it may not set: name=" + printable(lower));
    }
    if (!isFieldValue(value)) {
      throw protocol("the guest set a header to what cannot be sent: name=" + lower);
    }
    headerBytes += lower.length() + value.length();
    if (headers.size() == HEADERS_MAX || headerBytes > HEADER_BYTES_MAX) {
      throw protocol(
          "the guest set too many headers: limit="
              + HEADERS_MAX
              + ", limitBytes="
              + HEADER_BYTES_MAX);
    }
    headers.add(new GuestResponse.Header(lower, value));
  }

  static GuestTrap protocol(String message) {
    return new GuestTrap(TrapKind.PROTOCOL, message);
  }

  private static byte[] grown(byte[] array, int neededBytes) {
    if (neededBytes <= array.length) {
      return array;
    }
    return Arrays.copyOf(array, Math.max(neededBytes, Math.min(array.length * 2, 1 << 30)));
  }

  /// A token as RFC 9110, section 5.6.2 has it.
  private static boolean isToken(String name) {
    return !name.isEmpty()
        && name.chars()
            .allMatch(c ->
                (c >= 'a' && c <= 'z')
                    || (c >= '0' && c <= '9')
                    || "!#$%&'*+-.^_`|~".indexOf(c) >= 0);
  }

  private static boolean isFieldValue(String value) {
    return value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c < 0x7f));
  }

  private static String printable(String text) {
    return text.replaceAll("[^\\x20-\\x7e]", "?");
  }
}
