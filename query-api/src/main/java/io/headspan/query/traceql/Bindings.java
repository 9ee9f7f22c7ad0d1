package io.headspan.query.traceql;

import io.headspan.storage.SqlQuery;
import java.util.LinkedHashMap;
import java.util.Map;

/// The values of one statement. Text from a query reaches ClickHouse only through here.
final class Bindings {
  private record Key(String type, Object value) {}

  private final Map<Key, String> names = new LinkedHashMap<>();

  String text(String value) {
    return place("String", value);
  }

  String integer(long value) {
    return place("Int64", value);
  }

  String real(double value) {
    return place("Float64", value);
  }

  /// A time, given as ns since the Unix epoch.
  String time(long ns) {
    return "fromUnixTimestamp64Nano(" + integer(ns) + ",'UTC')";
  }

  /// Binds everything that `query` may refer to.
  SqlQuery bind(SqlQuery query) {
    SqlQuery bound = query;
    for (Map.Entry<Key, String> entry : names.entrySet()) {
      bound = bound.bind(entry.getValue(), entry.getKey().value());
    }
    return bound;
  }

  private String place(String type, Object value) {
    String name = names.computeIfAbsent(new Key(type, value), _ -> "p" + names.size());
    return "{" + name + ":" + type + "}";
  }
}
