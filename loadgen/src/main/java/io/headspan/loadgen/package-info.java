/// What loads and proves Headspan: containers, networks, traffic, plausible spans.
@NullMarked
package io.headspan.loadgen;

import org.jspecify.annotations.NullMarked;
