/// Benchmarks of the agent's spool.
@NullMarked
package io.headspan.benchmarks.spool;

import org.jspecify.annotations.NullMarked;
