/// What questions take: `./dev bench store` and `./dev bench query`, over a day of spans.
@NullMarked
package io.headspan.benchmarks.query;

import org.jspecify.annotations.NullMarked;
