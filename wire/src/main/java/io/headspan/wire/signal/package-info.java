/// What a node agent tells beside spans, and its form on the wire (`node_signals.proto`):
/// [io.headspan.wire.signal.NodeReport].
@NullMarked
package io.headspan.wire.signal;

import org.jspecify.annotations.NullMarked;
