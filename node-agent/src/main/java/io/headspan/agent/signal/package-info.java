/// What the agent tells about its node beside spans: [io.headspan.agent.signal.SignalSource]s are
/// asked every few seconds, and [io.headspan.agent.signal.SignalSender] sends their answers.
@NullMarked
package io.headspan.agent.signal;

import org.jspecify.annotations.NullMarked;
