package io.headspan.query;

import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// The recorded data set, see src/test/resources/traceql/README.md.
public final class RecordedSpans {
  private RecordedSpans() {}

  /// The requests that were sent, one trace each.
  public static List<ExportTraceServiceRequest> requests() throws IOException {
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    try (DataInputStream in = new DataInputStream(resource("dataset.otlp"))) {
      while (in.available() > 0) {
        requests.add(ExportTraceServiceRequest.parseFrom(in.readNBytes(in.readInt())));
      }
    }
    return requests;
  }

  public static InputStream resource(String name) {
    return Objects.requireNonNull(
        RecordedSpans.class.getResourceAsStream("/traceql/" + name), name);
  }
}
