package io.headspan.wire;

/// The type tags of attribute values, with the numbers of the OTel-Arrow wire (section 5.5.1 of its
/// specification, equal to `pcommon.ValueType`).
public final class AttributeType {
  public static final byte EMPTY = 0;
  public static final byte STRING = 1;
  public static final byte INT = 2;
  public static final byte DOUBLE = 3;
  public static final byte BOOL = 4;

  /// A map; the value is its CBOR encoding (RFC 8949).
  public static final byte MAP = 5;

  /// An array; the value is its CBOR encoding (RFC 8949).
  public static final byte SLICE = 6;

  public static final byte BYTES = 7;

  private AttributeType() {}

  /// Whether values of this type are ids into the batch's [Utf8Table].
  public static boolean isTableId(byte type) {
    return type == STRING || type >= MAP;
  }
}
