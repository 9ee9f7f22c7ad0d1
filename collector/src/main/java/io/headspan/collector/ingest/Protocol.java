package io.headspan.collector.ingest;

/// How spans came in.
public enum Protocol {
  OTAP("otap"),
  OTLP_GRPC("otlp_grpc"),
  OTLP_HTTP("otlp_http");

  private final String label;

  Protocol(String label) {
    this.label = label;
  }

  /// The value of the metric label `protocol`.
  public String label() {
    return label;
  }
}
