package io.headspan.wire;

/// A value of any OTLP type as text: strings as they are, numbers in decimal, bools as `true` and
/// `false`, bytes in base64, maps and slices as JSON, nothing as "".
///
/// @param type one of [AttributeType]
public record TypedValue(byte type, String text) {
  public static final TypedValue EMPTY = new TypedValue(AttributeType.EMPTY, "");
}
