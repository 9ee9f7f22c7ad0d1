package io.headspan.collector;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/// How `/metrics` is written: with exemplars only where every Prometheus takes them, which are
/// counters and the buckets of histograms. One on a histogram's `_count` has Prometheus 2 refuse
/// the whole scrape.
final class MetricsFormat implements PrometheusConfig {
  @Override
  public @Nullable String get(String key) {
    return null;
  }

  @Override
  public Properties prometheusProperties() {
    var properties = new Properties();
    properties.setProperty("io.prometheus.exporter.exemplarsOnAllMetricTypes", "false");
    return properties;
  }
}
