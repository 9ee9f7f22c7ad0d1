/// What the wire formats cost: ns per span to decode and encode, and bytes per span.
@NullMarked
package io.headspan.benchmarks.wire;

import org.jspecify.annotations.NullMarked;
