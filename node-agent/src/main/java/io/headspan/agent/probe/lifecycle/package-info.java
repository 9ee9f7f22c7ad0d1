@NullMarked
package io.headspan.agent.probe.lifecycle;

import org.jspecify.annotations.NullMarked;
