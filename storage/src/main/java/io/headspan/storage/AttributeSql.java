package io.headspan.storage;

import io.headspan.wire.AttributeType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// One attribute of spans, by the columns it may be in: SQL over rows of either tier.
public final class AttributeSql {
  private final String key;
  private final Optional<Promoted> promoted;

  private AttributeSql(String key, Optional<Promoted> promoted) {
    this.key = key;
    this.promoted = promoted;
  }

  /// The attribute called `key`.
  public static AttributeSql of(String key) {
    return new AttributeSql(
        literal(key),
        Arrays.stream(Promoted.values()).filter(each -> each.key().equals(key)).findFirst());
  }

  /// A text as SQL, whatever is in it.
  public static String literal(String text) {
    return "unhex('" + HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8)) + "')";
  }

  /// Whether it is there, of whatever type.
  public String isPresent() {
    List<String> places = new ArrayList<>();
    promoted.ifPresent(each -> places.add(bit(each)));
    places.add("has(string_keys," + key + ")");
    places.add("mapContains(ints," + key + ")");
    places.add("mapContains(doubles," + key + ")");
    places.add("has(bool_keys," + key + ")");
    places.add("has(other.key," + key + ")");
    return "(" + String.join(" OR ", places) + ")";
  }

  /// A condition on it as an integer; false if it is none.
  ///
  /// @param condition has `%s` in place of the value, an Int64
  public String integer(String condition) {
    return either(AttributeType.INT, "mapContains(ints,%1$s)", "ints[%1$s]", condition);
  }

  /// A condition on it as a floating point number.
  public String floating(String condition) {
    return either(AttributeType.DOUBLE, "mapContains(doubles,%1$s)", "doubles[%1$s]", condition);
  }

  /// A condition on it as a text.
  public String string(String condition) {
    return either(
        AttributeType.STRING,
        "has(string_keys,%1$s)",
        "string_values[indexOf(string_keys,%1$s)]",
        condition);
  }

  /// A condition on it as a truth value.
  public String bool(String condition) {
    return either(
        AttributeType.BOOL,
        "has(bool_keys,%1$s)",
        "bool_values[indexOf(bool_keys,%1$s)]",
        condition);
  }

  private String either(byte type, String present, String value, String condition) {
    String elsewhere =
        "(" + present.formatted(key) + " AND " + inserted(condition, value.formatted(key)) + ")";
    if (promoted.isEmpty() || promoted.get().type() != type) {
      return elsewhere;
    }
    String column = promoted.get().column();
    String own =
        switch (type) {
          case AttributeType.INT -> "toInt64(" + column + ")";
          case AttributeType.STRING -> "toString(" + column + ")";
          default -> column;
        };
    return "(("
        + bit(promoted.get())
        + " AND "
        + inserted(condition, own)
        + ") OR "
        + elsewhere
        + ")";
  }

  private static String inserted(String condition, String value) {
    return "(" + condition.replace("%s", value) + ")";
  }

  private static String bit(Promoted each) {
    return "bitTest(promoted," + each.index() + ")";
  }
}
