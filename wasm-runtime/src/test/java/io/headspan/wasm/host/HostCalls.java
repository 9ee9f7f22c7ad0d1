package io.headspan.wasm.host;

import io.headspan.wasm.engine.HostFunction;
import io.headspan.wire.TraceContext;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;

/// Calls host functions as a guest would, by name.
final class HostCalls {
  static final Instant NOW = Instant.parse("2026-03-04T05:06:07.000000008Z");
  static final String TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  static final int RESPONSE_BYTES_MAX = 100;

  final ArrayMemory memory = new ArrayMemory();
  final Invocation invocation;
  private final List<HostFunction<Invocation>> functions;

  HostCalls(List<HostFunction<Invocation>> functions, String body) {
    this(functions, request(body, Optional.empty()));
  }

  HostCalls(List<HostFunction<Invocation>> functions, GuestRequest request) {
    this.functions = functions;
    this.invocation =
        new InvocationSource(
                Clock.fixed(NOW, ZoneOffset.UTC), new SecureRandom(), RESPONSE_BYTES_MAX)
            .open(request);
  }

  static GuestRequest request(String body, Optional<TraceContext> context) {
    return new GuestRequest(
        "acme",
        "shop",
        "2.1",
        "POST",
        "/cart",
        "a=b",
        "",
        context,
        body.getBytes(StandardCharsets.US_ASCII));
  }

  long call(String name, long... arguments) {
    return functions.stream()
        .filter(function -> function.name().equals(name))
        .findFirst()
        .orElseThrow()
        .body()
        .call(invocation, memory, arguments);
  }

  /// Writes I/O vectors, address and length each.
  void vectors(int at, int... addressesAndLengths) {
    for (int i = 0; i < addressesAndLengths.length; i++) {
      memory.writeInt(at + 4 * i, addressesAndLengths[i]);
    }
  }

  void put(int address, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    memory.write(address, bytes, 0, bytes.length);
  }

  String text(int address, int length) {
    return new String(memory.read(address, length), StandardCharsets.ISO_8859_1);
  }
}
