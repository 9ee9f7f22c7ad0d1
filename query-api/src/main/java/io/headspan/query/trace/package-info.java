/// Whole traces, which several APIs answer with. Starting point: [io.headspan.query.trace.Traces].
@NullMarked
package io.headspan.query.trace;

import org.jspecify.annotations.NullMarked;
