/// Tells about failures without flooding the log. Starting point:
/// [io.headspan.agent.log.FailureLog].
@NullMarked
package io.headspan.agent.log;

import org.jspecify.annotations.NullMarked;
