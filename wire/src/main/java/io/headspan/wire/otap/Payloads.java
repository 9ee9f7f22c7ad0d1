package io.headspan.wire.otap;

import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The tables of one batch.
record Payloads(Map<ArrowPayloadType, List<ArrowTable>> tables) {
  /// The only table of a type; null if there is none.
  @Nullable ArrowTable single(ArrowPayloadType type) {
    List<ArrowTable> all = all(type);
    if (all.size() > 1) {
      throw OtapException.invalid(
          "more than one payload of a type: type=" + type + "; send one in each batch");
    }
    return all.isEmpty() ? null : all.getFirst();
  }

  List<ArrowTable> all(ArrowPayloadType type) {
    return tables.getOrDefault(type, List.of());
  }
}
