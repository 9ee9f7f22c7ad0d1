package io.headspan.wasm.host;

import io.headspan.wasm.engine.GuestMemory;
import io.headspan.wasm.engine.HostFunction;
import io.headspan.wasm.module.Signature;
import io.headspan.wire.TraceContext;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The `headspan` module: the request's fields, and the response's status and headers. Both kinds
/// of functions may import it. Part of the stable interface, see `docs/wasm-functions.md`:
/// functions are added, never changed.
final class HeadspanFunctions {
  private static final String MODULE = "headspan";
  private static final int ABSENT = -1;
  private static final int HEADER_BYTES_MAX = 8_192;

  private HeadspanFunctions() {}

  static List<HostFunction<Invocation>> all() {
    return List.of(
        function("request_field", "iii>i", HeadspanFunctions::requestField),
        function("response_status", "i>", HeadspanFunctions::responseStatus),
        function("response_header", "iiii>", HeadspanFunctions::responseHeader));
  }

  private static HostFunction<Invocation> function(
      String name, String signature, HostFunction.Body<Invocation> body) {
    return new HostFunction<>(
        MODULE,
        name,
        Signature.of(signature),
        (invocation, memory, arguments) -> {
          invocation.countHostCall();
          return body.call(invocation, memory, arguments);
        });
  }

  /// `request_field(field, buffer, capacity) -> length`: copies at most `capacity` bytes and gives
  /// the whole length, or -1 if the request does not have the field.
  private static long requestField(Invocation invocation, GuestMemory memory, long[] arguments) {
    String value = field(invocation.request(), (int) arguments[0]);
    if (value == null) {
      return ABSENT;
    }
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    int capacity = (int) arguments[2];
    int copied = Integer.compareUnsigned(capacity, bytes.length) < 0 ? capacity : bytes.length;
    memory.write((int) arguments[1], bytes, 0, copied);
    return bytes.length;
  }

  private static @Nullable String field(GuestRequest request, int field) {
    return switch (field) {
      case 0 -> request.method();
      case 1 -> request.path();
      case 2 -> request.query();
      case 3 -> request.contentType().isEmpty() ? null : request.contentType();
      case 4 -> request.context().map(TraceContext::traceparent).orElse(null);
      case 5 ->
          request.context().map(TraceContext::traceState).filter(s -> !s.isEmpty()).orElse(null);
      case 6 -> request.tenant();
      case 7 -> request.function();
      case 8 -> request.version();
      default -> throw Invocation.protocol("no such request field: field=" + field);
    };
  }

  /// `response_status(status)`: 200 if it is never called.
  private static long responseStatus(Invocation invocation, GuestMemory memory, long[] arguments) {
    invocation.setStatus((int) arguments[0]);
    return 0;
  }

  /// `response_header(name, nameLength, value, valueLength)`.
  private static long responseHeader(Invocation invocation, GuestMemory memory, long[] arguments) {
    invocation.addHeader(
        text(memory, (int) arguments[0], (int) arguments[1]),
        text(memory, (int) arguments[2], (int) arguments[3]));
    return 0;
  }

  private static String text(GuestMemory memory, int address, int length) {
    if (Integer.compareUnsigned(length, HEADER_BYTES_MAX) > 0) {
      throw Invocation.protocol(
          "the guest gave a header that is too long: length="
              + Integer.toUnsignedString(length)
              + ", limit="
              + HEADER_BYTES_MAX);
    }
    return new String(memory.read(address, length), StandardCharsets.ISO_8859_1);
  }
}
