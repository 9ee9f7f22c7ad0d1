package io.headspan.wire.otap;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A record batch: columns by name, all of `rows` rows.
record ArrowTable(int rows, Map<String, Column> columns) {
  /// The column `name`, null if the sender left it out.
  @Nullable Column find(String name) {
    return columns.get(name);
  }

  /// The column `name`, which may not be left out.
  Column require(String name) {
    Column column = columns.get(name);
    if (column == null) {
      throw OtapException.invalid(
          "required column missing in OTAP data: column="
              + name
              + ", columns="
              + columns.keySet()
              + "; send every required column");
    }
    return column;
  }

  /// The child `child` of the struct `name`, null if the sender left out either.
  @Nullable Column find(String name, String child) {
    Column struct = columns.get(name);
    if (struct == null) {
      return null;
    }
    for (Column column : struct.children()) {
      if (column.name().equals(child)) {
        return column;
      }
    }
    return null;
  }
}
