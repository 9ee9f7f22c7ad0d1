package io.headspan.wire;

import java.util.List;

/// Log records that came together.
public record LogBatch(List<Entry> entries) {
  public LogBatch {
    entries = List.copyOf(entries);
  }

  public int size() {
    return entries.size();
  }

  /// One record.
  ///
  /// @param timeNs when it happened, ns since 1970; 0 if the sender does not know
  /// @param observedNs when it was seen; 0 if the sender does not say
  /// @param traceIdHigh with `traceIdLow`, the trace it belongs to; both 0 if none
  /// @param spanId the span it belongs to, 0 if none
  /// @param severity OTLP's number, 0 to 24
  public record Entry(
      SignalOrigin origin,
      long timeNs,
      long observedNs,
      long traceIdHigh,
      long traceIdLow,
      long spanId,
      int flags,
      byte severity,
      String severityText,
      String eventName,
      TypedValue body,
      List<TypedAttribute> attributes,
      int droppedAttributes) {
    public Entry {
      attributes = List.copyOf(attributes);
    }

    /// The same record, sent by something else.
    public Entry withOrigin(SignalOrigin other) {
      return new Entry(
          other,
          timeNs,
          observedNs,
          traceIdHigh,
          traceIdLow,
          spanId,
          flags,
          severity,
          severityText,
          eventName,
          body,
          attributes,
          droppedAttributes);
    }
  }
}
