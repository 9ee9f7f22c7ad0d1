package io.headspan.wire.config;

import java.util.List;
import java.util.Map;

/// A part of a configuration file, with the line it stands at, counted from 1. Scalars are kept as
/// they are written: what a value is, only its reader knows.
sealed interface ConfigNode {
  int line();

  /// One value.
  ///
  /// @param text "" for null and for nothing at all
  record Scalar(String text, int line) implements ConfigNode {}

  /// Values in order.
  record Sequence(List<ConfigNode> items, int line) implements ConfigNode {}

  /// Values by key.
  ///
  /// @param members in the order of the file; each has the line of its key
  record Mapping(Map<String, ConfigNode> members, int line) implements ConfigNode {}
}
