/// From exchanges at sockets to invocations in traces: who called whom, by evidence only. Starting
/// point: [io.headspan.agent.invocation.Correlator].
@NullMarked
package io.headspan.agent.invocation;

import org.jspecify.annotations.NullMarked;
