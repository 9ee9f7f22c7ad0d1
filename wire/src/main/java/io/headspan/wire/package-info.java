/// The span and invocation model that every part of Headspan shares: [io.headspan.wire.SpanBatch],
/// spans as columns; [io.headspan.wire.TraceContext], the W3C context. Starting points:
/// `SpanBatch.Builder` to make one, `io.headspan.wire.otap` to send and receive one.
@NullMarked
package io.headspan.wire;

import org.jspecify.annotations.NullMarked;
