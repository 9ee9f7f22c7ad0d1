@NullMarked
package io.headspan.agent.probe.http;

import org.jspecify.annotations.NullMarked;
