package io.headspan.storage;

/// Where spans are stored first.
public enum Tier {
  /// With all others, until a sampler has decided which traces are kept.
  RECENT("recent_spans"),
  /// With those that are kept, because all are.
  KEPT("kept_spans");

  private final String table;

  Tier(String table) {
    this.table = table;
  }

  String table() {
    return table;
  }
}
