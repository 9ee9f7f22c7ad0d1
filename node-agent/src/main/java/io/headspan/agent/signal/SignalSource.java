package io.headspan.agent.signal;

import io.headspan.wire.signal.NodeSignal;
import java.util.Optional;

/// Something that can be told about the node.
@FunctionalInterface
public interface SignalSource {
  /// What there is to tell about the time since the last call, or now. Called by one thread every
  /// few seconds; must not block for long, and may throw: then this time is left out.
  Optional<NodeSignal> take();
}
