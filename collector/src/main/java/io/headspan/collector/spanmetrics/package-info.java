/// Metrics of what was stored, under the names of Tempo's metrics-generator: calls and latency by
/// service and operation, the service graph, and who waits for whom.
@NullMarked
package io.headspan.collector.spanmetrics;

import org.jspecify.annotations.NullMarked;
