/// How much the collector and the store take in, and what it costs: `./dev bench ingest`.
@NullMarked
package io.headspan.benchmarks.ingest;

import org.jspecify.annotations.NullMarked;
