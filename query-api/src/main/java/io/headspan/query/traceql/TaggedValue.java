package io.headspan.query.traceql;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Reads the tagged text that [FieldSql#tagged] writes.
final class TaggedValue {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Tag of a field that a span does not have; nothing follows.
  static final char NOTHING = 'n';

  /// The SQL of a tagged text that says nothing.
  static final String NOTHING_SQL = "'" + NOTHING + "'";

  /// Tag of an array; its elements follow, as tagged texts in JSON.
  static final char ARRAY = 'a';

  private TaggedValue() {}

  /// The SQL of a label's place among others, for series with the same value: texts by bytes, with
  /// what is no text before them, then names, then numbers from the largest, as in Tempo.
  static String placeSql(String name, String tagged) {
    String value = "substring(" + tagged + ",2)";
    String text =
        "multiIf(%1$s='s' OR %1$s='t',%2$s,%1$s='e',%3$s,%1$s='k',%4$s,'')"
            .formatted(
                "left(" + tagged + ",1)",
                value,
                keyword(
                    value,
                    Stream.of(SpanStatus.values())
                        .collect(Collectors.toMap(SpanStatus::code, SpanStatus::keyword))),
                keyword(
                    value,
                    Stream.of(SpanKind.values())
                        .collect(Collectors.toMap(SpanKind::code, SpanKind::keyword))));
    String number =
        """
        multiIf(%1$s='i',(3,bitNot(reinterpretAsUInt64(toInt64OrZero(%2$s)))),\
        %1$s='d',(2,bitNot(reinterpretAsUInt64(toFloat64OrZero(%2$s)))),\
        %1$s='b',(0,bitNot(toUInt64(%2$s IN ('1','true')))),(1,toUInt64(0)))\
        """
            .formatted("left(" + tagged + ",1)", value);
    return "(" + text + "," + name + "," + number + ")";
  }

  private static String keyword(String code, Map<Integer, String> keywords) {
    List<Map.Entry<Integer, String>> entries = List.copyOf(keywords.entrySet());
    return "transform(%s,[%s],[%s],'')"
        .formatted(
            code,
            entries.stream().map(e -> "'" + e.getKey() + "'").collect(Collectors.joining(",")),
            entries.stream().map(e -> "'" + e.getValue() + "'").collect(Collectors.joining(",")));
  }

  static ResultValue read(String tagged) {
    char tag = tagged.charAt(0);
    String text = tagged.substring(1);
    if (tag == NOTHING) {
      return new ResultValue.Nothing();
    }
    if (tag == ARRAY) {
      return new ResultValue.Array(strings(text).stream().map(TaggedValue::read).toList());
    }
    return read(type(tag), text);
  }

  private static ValueType type(char tag) {
    for (ValueType type : ValueType.values()) {
      if (type.tag() == tag) {
        return type;
      }
    }
    throw new IllegalArgumentException("unknown tag: tag=" + tag);
  }

  private static List<String> strings(String json) {
    try {
      return JSON.readerForListOf(String.class).readValue(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not an array of strings in JSON: text=" + json, e);
    }
  }

  private static ResultValue read(ValueType type, String text) {
    return switch (type) {
      case TEXT -> new ResultValue.Text(text);
      case INT -> new ResultValue.Int(Long.parseLong(text));
      case REAL -> new ResultValue.Real(real(text));
      case BOOL -> new ResultValue.Bool(text.equals("1") || text.equals("true"));
      case TIME -> new ResultValue.Duration(GoDuration.format(Long.parseLong(text)));
      case STATUS -> new ResultValue.Text(status(Integer.parseInt(text)));
      case KIND -> new ResultValue.Text(kind(Integer.parseInt(text)));
    };
  }

  private static double real(String text) {
    return switch (text) {
      case "inf" -> Double.POSITIVE_INFINITY;
      case "-inf" -> Double.NEGATIVE_INFINITY;
      case "nan" -> Double.NaN;
      default -> Double.parseDouble(text);
    };
  }

  private static String status(int code) {
    for (SpanStatus status : SpanStatus.values()) {
      if (status.code() == code) {
        return status.keyword();
      }
    }
    return Integer.toString(code);
  }

  private static String kind(int code) {
    for (SpanKind kind : SpanKind.values()) {
      if (kind.code() == code) {
        return kind.keyword();
      }
    }
    return Integer.toString(code);
  }
}
