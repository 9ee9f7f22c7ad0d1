/// Beginnings and ends of instances, as their invocations show them: which one was the first, and
/// which ended because its process did.
@NullMarked
package io.headspan.agent.life;

import org.jspecify.annotations.NullMarked;
