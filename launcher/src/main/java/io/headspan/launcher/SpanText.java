package io.headspan.launcher;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;

/// Reads texts of spans by attribute name.
final class SpanText {
  private SpanText() {}

  static String resource(SpanBatch batch, int span, String key) {
    return value(batch, batch.resourceAttributes(), batch.scopeResource(batch.scope(span)), key);
  }

  static String attribute(SpanBatch batch, int span, String key) {
    return value(batch, batch.spanAttributes(), span, key);
  }

  /// The value as text, "" if there is none.
  private static String value(SpanBatch batch, Attributes attributes, int owner, String key) {
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      if (batch.text(attributes.key(row)).equals(key)) {
        return switch (attributes.type(row)) {
          case AttributeType.STRING -> batch.text((int) attributes.value(row));
          case AttributeType.INT -> Long.toString(attributes.value(row));
          case AttributeType.BOOL -> Boolean.toString(attributes.value(row) != 0);
          case AttributeType.DOUBLE -> Double.toString(attributes.doubleValue(row));
          default -> "";
        };
      }
    }
    return "";
  }
}
