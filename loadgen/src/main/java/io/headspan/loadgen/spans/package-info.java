/// Made-up spans for benchmarks and tests: [io.headspan.loadgen.spans.SyntheticSpans].
@NullMarked
package io.headspan.loadgen.spans;

import org.jspecify.annotations.NullMarked;
