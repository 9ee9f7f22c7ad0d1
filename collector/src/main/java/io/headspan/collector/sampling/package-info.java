/// Tail sampling: policies of the OpenTelemetry Collector's `tail_sampling` processor, and what
/// they decide about a trace. Start at [SamplingPolicies].
@NullMarked
package io.headspan.collector.sampling;

import org.jspecify.annotations.NullMarked;
