package io.headspan.wire.otlp;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.headspan.wire.WireException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// OTLP messages as JSON, which is protobuf's JSON mapping but for trace and span ids, which are
/// hex here (OTLP specification, "JSON Protobuf Encoding"). Unknown names are ignored, null counts
/// as absent, numbers may stand in quotes, and enumerations are numbers; names of their values are
/// taken too, as the OpenTelemetry Collector does.
public final class OtlpJson {
  private static final Set<String> HEX = Set.of("trace_id", "span_id", "parent_span_id");

  /// Messages within messages: more than the deepest attribute value that is stored.
  private static final int DEPTH_MAX = 250;

  private static final int JSON_DEPTH_MAX = 2 * DEPTH_MAX;

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(JSON_DEPTH_MAX)
                  // The message as a whole is bounded by whoever received it.
                  .maxStringLength(Integer.MAX_VALUE)
                  .build())
          // Names of fields are few; a sender's own are only skipped, and not to be remembered.
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .build();

  private static final BigInteger UNSIGNED_LONG_MAX =
      BigInteger.ONE.shiftLeft(Long.SIZE).subtract(BigInteger.ONE);

  private static final Map<Descriptor, Map<String, FieldDescriptor>> FIELDS =
      new ConcurrentHashMap<>();

  private final JsonParser in;

  private OtlpJson(JsonParser in) {
    this.in = in;
  }

  /// Reads one message.
  ///
  /// @param empty a message of the type to read
  /// @throws WireException if it is no JSON, or not of this message; it says where
  public static <M extends Message> M read(ByteString json, M empty) {
    try (JsonParser in = JSON.createParser(json.newInput())) {
      Message.Builder message = empty.newBuilderForType();
      OtlpJson reader = new OtlpJson(in);
      if (in.nextToken() != JsonToken.START_OBJECT) {
        throw reader.expected("an object");
      }
      reader.readInto(message, 1);
      if (in.nextToken() != null) {
        throw reader.expected("nothing after the message");
      }
      @SuppressWarnings("unchecked") // built by the type's own builder
      M read = (M) message.build();
      return read;
    } catch (IOException e) {
      throw new WireException("cannot parse JSON: " + firstLine(e), e);
    }
  }

  /// Writes a message without default values. Bytes that are no ids are base64.
  public static byte[] write(Message message) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = JSON.createGenerator(bytes)) {
      write(message, out);
    } catch (IOException e) {
      throw new WireException("cannot write JSON: " + firstLine(e), e);
    }
    return bytes.toByteArray();
  }

  private void readInto(Message.Builder message, int depth) throws IOException {
    if (depth > DEPTH_MAX) {
      throw new WireException(
          "bad JSON: nested deeper than " + DEPTH_MAX + "; send flatter maps and arrays");
    }
    Map<String, FieldDescriptor> fields =
        FIELDS.computeIfAbsent(message.getDescriptorForType(), OtlpJson::fields);
    while (in.nextToken() != JsonToken.END_OBJECT) {
      FieldDescriptor field = fields.get(in.currentName());
      JsonToken value = in.nextToken();
      if (field == null) {
        in.skipChildren();
      } else if (value == JsonToken.VALUE_NULL) {
        message.clearField(field);
      } else if (field.isRepeated()) {
        readList(message, field, depth);
      } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        message.setField(field, readMessage(message, field, depth));
      } else {
        message.setField(field, readScalar(field));
      }
    }
  }

  private void readList(Message.Builder message, FieldDescriptor field, int depth)
      throws IOException {
    if (!in.isExpectedStartArrayToken()) {
      throw expected("an array", field);
    }
    while (in.nextToken() != JsonToken.END_ARRAY) {
      message.addRepeatedField(
          field,
          field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
              ? readMessage(message, field, depth)
              : readScalar(field));
    }
  }

  private Message readMessage(Message.Builder parent, FieldDescriptor field, int depth)
      throws IOException {
    if (!in.isExpectedStartObjectToken()) {
      throw expected("an object", field);
    }
    Message.Builder message = parent.newBuilderForField(field);
    readInto(message, depth + 1);
    return message.build();
  }

  private Object readScalar(FieldDescriptor field) throws IOException {
    return switch (field.getJavaType()) {
      case STRING -> {
        require(field, JsonToken.VALUE_STRING, "a string");
        yield in.getText();
      }
      case BOOLEAN -> {
        if (in.currentToken() != JsonToken.VALUE_TRUE
            && in.currentToken() != JsonToken.VALUE_FALSE) {
          throw expected("true or false", field);
        }
        yield in.getBooleanValue();
      }
      case BYTE_STRING -> {
        require(field, JsonToken.VALUE_STRING, "a string");
        yield ByteString.copyFrom(bytes(field));
      }
      case INT -> (int) integer(field, Integer.SIZE);
      case LONG -> integer(field, Long.SIZE);
      case ENUM -> enumeration(field);
      case FLOAT -> (float) real(field);
      case DOUBLE -> real(field);
      case MESSAGE -> throw new IllegalStateException("no scalar: field=" + field.getFullName());
    };
  }

  private byte[] bytes(FieldDescriptor field) throws IOException {
    String text = in.getText();
    try {
      return HEX.contains(field.getName())
          ? HexFormat.of().parseHex(text)
          : Base64.getDecoder().decode(text.replace('-', '+').replace('_', '/'));
    } catch (IllegalArgumentException e) {
      throw expected(HEX.contains(field.getName()) ? "hex digits" : "base64", field);
    }
  }

  /// An integer of the field's signedness, the unsigned ones above the signed as negative.
  private long integer(FieldDescriptor field, int bits) throws IOException {
    boolean unsigned =
        switch (field.getType()) {
          case UINT32, FIXED32, UINT64, FIXED64 -> true;
          default -> false;
        };
    BigInteger value;
    try {
      value = number(field).toBigIntegerExact();
    } catch (ArithmeticException e) {
      throw expected("an integer", field);
    }
    BigInteger max =
        unsigned
            ? UNSIGNED_LONG_MAX.shiftRight(Long.SIZE - bits)
            : UNSIGNED_LONG_MAX.shiftRight(Long.SIZE - bits + 1);
    BigInteger min = unsigned ? BigInteger.ZERO : max.negate().subtract(BigInteger.ONE);
    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
      throw expected("an integer from " + min + " to " + max, field);
    }
    return value.longValue();
  }

  private BigDecimal number(FieldDescriptor field) throws IOException {
    if (in.currentToken() == JsonToken.VALUE_NUMBER_INT) {
      return switch (in.getNumberType()) {
        case INT, LONG -> BigDecimal.valueOf(in.getLongValue());
        default -> new BigDecimal(in.getBigIntegerValue());
      };
    }
    if (in.currentToken() != JsonToken.VALUE_NUMBER_FLOAT
        && in.currentToken() != JsonToken.VALUE_STRING) {
      throw expected("an integer", field);
    }
    String text = in.getText();
    try {
      // Longer than any 64-bit number; an exponent would make it arbitrarily large.
      BigDecimal value = new BigDecimal(text.length() <= 64 ? text : "");
      if (Math.abs((long) value.scale()) > 64) {
        throw expected("an integer", field);
      }
      return value;
    } catch (NumberFormatException e) {
      throw expected("an integer", field);
    }
  }

  private double real(FieldDescriptor field) throws IOException {
    return switch (in.currentToken()) {
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> in.getDoubleValue();
      case VALUE_STRING -> {
        String text = in.getText();
        try {
          yield text.equals("Infinity") || text.equals("-Infinity") || text.equals("NaN")
              ? Double.parseDouble(text)
              : new BigDecimal(text.length() <= 400 ? text : "").doubleValue();
        } catch (NumberFormatException e) {
          throw expected("a number", field);
        }
      }
      default -> throw expected("a number", field);
    };
  }

  private EnumValueDescriptor enumeration(FieldDescriptor field) throws IOException {
    if (in.currentToken() == JsonToken.VALUE_STRING) {
      EnumValueDescriptor named = field.getEnumType().findValueByName(in.getText());
      if (named != null) {
        return named;
      }
    }
    return field
        .getEnumType()
        .findValueByNumberCreatingIfUnknown((int) integer(field, Integer.SIZE));
  }

  private void require(FieldDescriptor field, JsonToken token, String what) {
    if (in.currentToken() != token) {
      throw expected(what, field);
    }
  }

  private WireException expected(String what, FieldDescriptor field) {
    return expected(what + " for " + field.getJsonName());
  }

  private WireException expected(String what) {
    return new WireException(
        "bad JSON: line="
            + in.currentTokenLocation().getLineNr()
            + ", column="
            + in.currentTokenLocation().getColumnNr()
            + "; expected "
            + what);
  }

  private static Map<String, FieldDescriptor> fields(Descriptor type) {
    Map<String, FieldDescriptor> fields = new HashMap<>();
    for (FieldDescriptor field : type.getFields()) {
      fields.put(field.getJsonName(), field);
    }
    return fields;
  }

  private static void write(Message message, JsonGenerator out) throws IOException {
    out.writeStartObject();
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      FieldDescriptor field = entry.getKey();
      out.writeFieldName(field.getJsonName());
      if (field.isRepeated()) {
        out.writeStartArray();
        for (Object each : (List<?>) entry.getValue()) {
          write(field, each, out);
        }
        out.writeEndArray();
      } else {
        write(field, entry.getValue(), out);
      }
    }
    out.writeEndObject();
  }

  private static void write(FieldDescriptor field, Object value, JsonGenerator out)
      throws IOException {
    switch (value) {
      case Message message -> write(message, out);
      case ByteString bytes ->
          out.writeString(
              HEX.contains(field.getName())
                  ? HexFormat.of().formatHex(bytes.toByteArray())
                  : Base64.getEncoder().encodeToString(bytes.toByteArray()));
      case EnumValueDescriptor named -> out.writeNumber(named.getNumber());
      case Long number ->
          out.writeString(
              switch (field.getType()) {
                case UINT64, FIXED64 -> Long.toUnsignedString(number);
                default -> number.toString();
              });
      case Integer number ->
          out.writeNumber(
              switch (field.getType()) {
                case UINT32, FIXED32 -> Integer.toUnsignedLong(number);
                default -> number.longValue();
              });
      case Double number when !Double.isFinite(number) -> out.writeString(number.toString());
      case Double number -> out.writeNumber(number);
      case Float number -> out.writeNumber(number);
      case Boolean flag -> out.writeBoolean(flag);
      default -> out.writeString(value.toString());
    }
  }

  private static String firstLine(IOException e) {
    String text = String.valueOf(e.getMessage());
    int end = text.indexOf('\n');
    return end < 0 ? text : text.substring(0, end);
  }
}
