/// What becomes of the time of threads. Starting point: [io.headspan.agent.probe.sched.SchedProbe].
@NullMarked
package io.headspan.agent.probe.sched;

import org.jspecify.annotations.NullMarked;
