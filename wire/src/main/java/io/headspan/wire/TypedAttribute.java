package io.headspan.wire;

/// An attribute of a log record, a data point or of what sent them.
public record TypedAttribute(String key, TypedValue value) {}
