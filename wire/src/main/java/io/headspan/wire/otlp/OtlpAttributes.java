package io.headspan.wire.otlp;

import com.google.protobuf.ByteString;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborReader;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.ArrayValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.common.v1.KeyValueList;
import java.util.function.Consumer;

/// [Attributes] to OTLP messages. Not thread-safe.
public final class OtlpAttributes {
  private final Utf8Table table;
  private final CborReader cbor = new CborReader();

  /// Of attributes whose texts are in `table`.
  public OtlpAttributes(Utf8Table table) {
    this.table = table;
  }

  /// Gives each attribute of `owner` to `to`.
  ///
  /// @throws WireException if a map or slice is not CBOR as [CborReader] reads it
  public void each(Attributes from, int owner, Consumer<KeyValue> to) {
    for (int row = from.begin(owner); row < from.end(owner); row++) {
      to.accept(
          KeyValue.newBuilder()
              .setKey(table.string(from.key(row)))
              .setValue(value(from.type(row), from.value(row)))
              .build());
    }
  }

  /// A value as [Attributes] holds it.
  ///
  /// @throws WireException if a map or slice is not CBOR as [CborReader] reads it
  public AnyValue value(byte type, long bits) {
    AnyValue.Builder value = AnyValue.newBuilder();
    int id = (int) bits;
    switch (type) {
      case AttributeType.EMPTY -> {}
      case AttributeType.STRING -> value.setStringValue(table.string(id));
      case AttributeType.INT -> value.setIntValue(bits);
      case AttributeType.DOUBLE -> value.setDoubleValue(Double.longBitsToDouble(bits));
      case AttributeType.BOOL -> value.setBoolValue(bits != 0);
      case AttributeType.BYTES ->
          value.setBytesValue(
              ByteString.copyFrom(table.backing(), table.offset(id), table.length(id)));
      case AttributeType.MAP, AttributeType.SLICE -> {
        cbor.reset(table, id);
        AnyValue container = value(cbor.next());
        if (cbor.next() != CborReader.Token.DONE) {
          throw new IllegalStateException("container did not end");
        }
        return container;
      }
      default -> throw new IllegalStateException("unknown attribute type: type=" + type);
    }
    return value.build();
  }

  private AnyValue value(CborReader.Token token) {
    AnyValue.Builder value = AnyValue.newBuilder();
    switch (token) {
      case TEXT -> value.setStringValue(cbor.text());
      case BYTES ->
          value.setBytesValue(
              ByteString.copyFrom(cbor.valueArray(), cbor.valueOffset(), cbor.valueLength()));
      case INT -> value.setIntValue(cbor.integer());
      case DOUBLE -> value.setDoubleValue(cbor.real());
      case BOOL -> value.setBoolValue(cbor.bool());
      case NULL -> {}
      case ARRAY_BEGIN -> {
        ArrayValue.Builder array = ArrayValue.newBuilder();
        CborReader.Token element;
        while ((element = cbor.next()) != CborReader.Token.END) {
          array.addValues(value(element));
        }
        value.setArrayValue(array);
      }
      case MAP_BEGIN -> {
        KeyValueList.Builder map = KeyValueList.newBuilder();
        while (cbor.next() != CborReader.Token.END) {
          KeyValue.Builder entry = KeyValue.newBuilder().setKey(cbor.text());
          map.addValues(entry.setValue(value(cbor.next())));
        }
        value.setKvlistValue(map);
      }
      case END, DONE -> throw new IllegalStateException("unexpected token: token=" + token);
    }
    return value.build();
  }
}
