/// Benchmarks of the agent's side of BPF, in memory: no kernel, no root.
@NullMarked
package io.headspan.benchmarks.libbpf;

import org.jspecify.annotations.NullMarked;
