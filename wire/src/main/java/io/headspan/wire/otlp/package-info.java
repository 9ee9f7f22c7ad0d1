/// Spans in OTLP's protobuf messages: [io.headspan.wire.otlp.OtlpDecoder] in,
/// [io.headspan.wire.otlp.OtlpEncoder] out.
@NullMarked
package io.headspan.wire.otlp;

import org.jspecify.annotations.NullMarked;
