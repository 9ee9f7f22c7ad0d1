/// Spans to the collector: [io.headspan.agent.export.SpanBatcher] makes batches of them,
/// [io.headspan.agent.export.SpanExporter] holds each batch until the collector has acknowledged
/// it.
@NullMarked
package io.headspan.agent.export;

import org.jspecify.annotations.NullMarked;
