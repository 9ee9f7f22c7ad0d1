package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.Utf8Table;
import java.nio.charset.StandardCharsets;

/// Attribute values of any type as text, with the type beside them: strings, bytes and CBOR as they
/// are, numbers in decimal, bools as `true` and `false`, nothing as "".
final class TextValue {
  private TextValue() {}

  static void write(NativeSink sink, Utf8Table table, Attributes attributes, int row) {
    byte type = attributes.type(row);
    if (AttributeType.isTableId(type)) {
      sink.putString(table, (int) attributes.value(row));
      return;
    }
    String text =
        switch (type) {
          case AttributeType.INT -> Long.toString(attributes.value(row));
          case AttributeType.DOUBLE -> Double.toString(attributes.doubleValue(row));
          case AttributeType.BOOL -> attributes.value(row) == 0 ? "false" : "true";
          default -> "";
        };
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    sink.putString(bytes, 0, bytes.length);
  }

  /// The value as [Attributes] holds it; texts are added to `table`.
  static long read(Utf8Table table, byte type, byte[] value) {
    return switch (type) {
      case AttributeType.INT -> Long.parseLong(ascii(value));
      case AttributeType.DOUBLE -> Double.doubleToRawLongBits(Double.parseDouble(ascii(value)));
      case AttributeType.BOOL -> ascii(value).equals("true") ? 1 : 0;
      default -> table.intern(value, 0, value.length);
    };
  }

  private static String ascii(byte[] value) {
    return new String(value, StandardCharsets.US_ASCII);
  }
}
