/// What capture costs, and whether it is complete: `./dev bench capture`.
@NullMarked
package io.headspan.benchmarks.capture;

import org.jspecify.annotations.NullMarked;
