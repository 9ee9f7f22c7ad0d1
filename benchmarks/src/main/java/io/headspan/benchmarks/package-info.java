/// Benchmarks of whole parts, each a plain program behind `./dev bench NAME`. Starting point:
/// [io.headspan.benchmarks.BenchReport], the form in which each of them answers.
@NullMarked
package io.headspan.benchmarks;

import org.jspecify.annotations.NullMarked;
