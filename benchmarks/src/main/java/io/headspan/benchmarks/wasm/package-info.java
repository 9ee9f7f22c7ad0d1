/// Benchmarks of the Wasm executor without HTTP: instances, calls, memory.
@NullMarked
package io.headspan.benchmarks.wasm;

import org.jspecify.annotations.NullMarked;
