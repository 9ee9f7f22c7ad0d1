/// Spans in the OpenTelemetry Protocol with Apache Arrow (OTAP), one codec per gRPC stream:
/// [io.headspan.wire.otap.OtapDecoder], [io.headspan.wire.otap.OtapEncoder], and
/// [io.headspan.wire.otap.OtapHeaders] for the header block of each batch.
@NullMarked
package io.headspan.wire.otap;

import org.jspecify.annotations.NullMarked;
