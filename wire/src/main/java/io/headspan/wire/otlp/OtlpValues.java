package io.headspan.wire.otlp;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.headspan.wire.AttributeType;
import io.headspan.wire.CborReader;
import io.headspan.wire.TypedValue;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Base64;

/// OTLP's values as text. In the JSON of maps and slices, bytes are base64, and doubles that JSON
/// has no number for are strings; a value that only profiles may hold counts as empty.
final class OtlpValues {
  private static final JsonFactory JSON = new JsonFactory();

  private OtlpValues() {}

  static TypedValue typed(AnyValue value) {
    return switch (value.getValueCase()) {
      case STRING_VALUE -> new TypedValue(AttributeType.STRING, value.getStringValue());
      case BOOL_VALUE -> new TypedValue(AttributeType.BOOL, String.valueOf(value.getBoolValue()));
      case INT_VALUE -> new TypedValue(AttributeType.INT, String.valueOf(value.getIntValue()));
      case DOUBLE_VALUE ->
          new TypedValue(AttributeType.DOUBLE, String.valueOf(value.getDoubleValue()));
      case BYTES_VALUE ->
          new TypedValue(
              AttributeType.BYTES,
              Base64.getEncoder().encodeToString(value.getBytesValue().toByteArray()));
      case ARRAY_VALUE -> new TypedValue(AttributeType.SLICE, json(value));
      case KVLIST_VALUE -> new TypedValue(AttributeType.MAP, json(value));
      case STRING_VALUE_STRINDEX, VALUE_NOT_SET -> TypedValue.EMPTY;
    };
  }

  private static String json(AnyValue value) {
    StringWriter text = new StringWriter();
    try (JsonGenerator out = JSON.createGenerator(text)) {
      write(value, out, 0);
    } catch (IOException e) {
      throw new UncheckedIOException("text cannot be written to memory", e);
    }
    return text.toString();
  }

  private static void write(AnyValue value, JsonGenerator out, int depth) throws IOException {
    if (depth > CborReader.MAX_DEPTH) {
      throw new WireException(
          "bad value in OTLP data: nesting deeper than "
              + CborReader.MAX_DEPTH
              + "; send flatter maps and arrays");
    }
    switch (value.getValueCase()) {
      case STRING_VALUE -> out.writeString(value.getStringValue());
      case BOOL_VALUE -> out.writeBoolean(value.getBoolValue());
      case INT_VALUE -> out.writeNumber(value.getIntValue());
      case DOUBLE_VALUE -> {
        if (Double.isFinite(value.getDoubleValue())) {
          out.writeNumber(value.getDoubleValue());
        } else {
          out.writeString(String.valueOf(value.getDoubleValue()));
        }
      }
      case BYTES_VALUE -> out.writeBinary(value.getBytesValue().toByteArray());
      case ARRAY_VALUE -> {
        out.writeStartArray();
        for (AnyValue each : value.getArrayValue().getValuesList()) {
          write(each, out, depth + 1);
        }
        out.writeEndArray();
      }
      case KVLIST_VALUE -> {
        out.writeStartObject();
        for (KeyValue each : value.getKvlistValue().getValuesList()) {
          out.writeFieldName(each.getKey());
          write(each.getValue(), out, depth + 1);
        }
        out.writeEndObject();
      }
      case STRING_VALUE_STRINDEX, VALUE_NOT_SET -> out.writeNull();
    }
  }
}
