/// What the added latency of a function consists of. Starting point:
/// [io.headspan.query.explain.ExplainApi].
@NullMarked
package io.headspan.query.explain;

import org.jspecify.annotations.NullMarked;
