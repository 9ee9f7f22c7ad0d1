package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The spans of a batch as text, each with everything that belongs to it, so that two batches that
/// mean the same have the same texts, however their rows and ids are ordered.
final class BatchText {
  private BatchText() {}

  /// All spans, sorted.
  static List<String> spans(SpanBatch batch) {
    List<String> spans = new ArrayList<>();
    for (int i = 0; i < batch.size(); i++) {
      spans.add(span(batch, i));
    }
    Collections.sort(spans);
    return spans;
  }

  /// The spans of each trace, sorted, by trace id in hex.
  static Map<String, List<String>> traces(SpanBatch batch) {
    Map<String, List<String>> traces = new TreeMap<>();
    for (int i = 0; i < batch.size(); i++) {
      traces.computeIfAbsent(traceId(batch, i), id -> new ArrayList<>()).add(span(batch, i));
    }
    traces.values().forEach(Collections::sort);
    return traces;
  }

  static String traceId(SpanBatch batch, int row) {
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(batch.traceIdHigh(row)) + hex.toHexDigits(batch.traceIdLow(row));
  }

  private static String span(SpanBatch batch, int i) {
    StringBuilder text = new StringBuilder();
    text.append(traceId(batch, i))
        .append(" id=")
        .append(Long.toHexString(batch.spanId(i)))
        .append(" parent=")
        .append(Long.toHexString(batch.parentSpanId(i)))
        .append(" start=")
        .append(batch.startNs(i))
        .append(" duration=")
        .append(batch.durationNs(i))
        .append(" name=")
        .append(batch.text(batch.name(i)))
        .append(" kind=")
        .append(batch.kind(i))
        .append(" status=")
        .append(batch.statusCode(i))
        .append('/')
        .append(batch.text(batch.statusMessage(i)))
        .append(" state=")
        .append(batch.text(batch.traceState(i)))
        .append(" flags=")
        .append(batch.flags(i))
        .append(" dropped=")
        .append(batch.droppedAttributes(i))
        .append(',')
        .append(batch.droppedEvents(i))
        .append(',')
        .append(batch.droppedLinks(i))
        .append(attributes(batch.table(), batch.spanAttributes(), i));
    for (int e = batch.eventBegin(i); e < batch.eventEnd(i); e++) {
      text.append("\n  event ")
          .append(batch.eventTimeNs(e))
          .append(' ')
          .append(batch.text(batch.eventName(e)))
          .append(" dropped=")
          .append(batch.eventDroppedAttributes(e))
          .append(attributes(batch.table(), batch.eventAttributes(), e));
    }
    for (int l = batch.linkBegin(i); l < batch.linkEnd(i); l++) {
      text.append("\n  link ")
          .append(Long.toHexString(batch.linkTraceIdHigh(l)))
          .append(Long.toHexString(batch.linkTraceIdLow(l)))
          .append('/')
          .append(Long.toHexString(batch.linkSpanId(l)))
          .append(" state=")
          .append(batch.text(batch.linkTraceState(l)))
          .append(" flags=")
          .append(batch.linkFlags(l))
          .append(" dropped=")
          .append(batch.linkDroppedAttributes(l))
          .append(attributes(batch.table(), batch.linkAttributes(), l));
    }
    int scope = batch.scope(i);
    int resource = batch.scopeResource(scope);
    text.append("\n  scope ")
        .append(batch.text(batch.scopeName(scope)))
        .append(' ')
        .append(batch.text(batch.scopeVersion(scope)))
        .append(" schema=")
        .append(batch.text(batch.scopeSchemaUrl(scope)))
        .append(" dropped=")
        .append(batch.scopeDroppedAttributes(scope))
        .append(attributes(batch.table(), batch.scopeAttributes(), scope))
        .append("\n  resource schema=")
        .append(batch.text(batch.resourceSchemaUrl(resource)))
        .append(" dropped=")
        .append(batch.resourceDroppedAttributes(resource))
        .append(attributes(batch.table(), batch.resourceAttributes(), resource));
    return text.toString();
  }

  private static String attributes(Utf8Table table, Attributes attributes, int owner) {
    List<String> texts = new ArrayList<>();
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      byte type = attributes.type(row);
      String value =
          AttributeType.isTableId(type)
              ? HexFormat.of().formatHex(table.bytes((int) attributes.value(row)))
              : Long.toHexString(attributes.value(row));
      texts.add(table.string(attributes.key(row)) + ":" + type + "=" + value);
    }
    Collections.sort(texts);
    return " " + texts;
  }
}
