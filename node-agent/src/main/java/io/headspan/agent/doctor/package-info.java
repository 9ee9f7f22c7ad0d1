/// Says what the agent can do on this machine, and removes what killed agents left. Starting point:
/// [io.headspan.agent.doctor.Doctor].
@NullMarked
package io.headspan.agent.doctor;

import org.jspecify.annotations.NullMarked;
