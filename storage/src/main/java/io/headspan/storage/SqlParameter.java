package io.headspan.storage;

import java.util.List;
import java.util.StringJoiner;

/// Bound values as ClickHouse reads them from a request: a plain value as in a TabSeparated file,
/// an array as a literal.
final class SqlParameter {
  private SqlParameter() {}

  static String format(Object value) {
    return value instanceof List<?> list ? array(list) : escaped(text(value));
  }

  private static String array(List<?> list) {
    StringJoiner elements = new StringJoiner(",", "[", "]");
    for (Object element : list) {
      elements.add(
          switch (element) {
            case List<?> inner -> array(inner);
            case String text -> "'" + escaped(text).replace("'", "\\'") + "'";
            default -> text(element);
          });
    }
    return elements.toString();
  }

  private static String text(Object value) {
    return value instanceof Boolean flag ? (flag ? "1" : "0") : value.toString();
  }

  private static String escaped(String text) {
    return text.replace("\\", "\\\\")
        .replace("\t", "\\t")
        .replace("\n", "\\n")
        .replace("\r", "\\r")
        .replace("\0", "\\0");
  }
}
