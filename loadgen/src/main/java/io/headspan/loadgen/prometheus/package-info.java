/// A Prometheus to be asked what it scraped: [io.headspan.loadgen.prometheus.PrometheusServer].
@NullMarked
package io.headspan.loadgen.prometheus;

import org.jspecify.annotations.NullMarked;
