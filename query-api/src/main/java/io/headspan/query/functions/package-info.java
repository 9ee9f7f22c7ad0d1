/// Latency and errors per function, from the rollups of every span.
@NullMarked
package io.headspan.query.functions;

import org.jspecify.annotations.NullMarked;
