/// The node agent: sees the invocations of a node and sends them as spans to a collector. Starting
/// point: [io.headspan.agent.NodeAgent].
@NullMarked
package io.headspan.agent;

import org.jspecify.annotations.NullMarked;
