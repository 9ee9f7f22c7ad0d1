package io.headspan.query.traceql;

/// One of `with(name=value, ...)`. Unknown ones are ignored, as Tempo does.
public record Hint(Position at, String name, Value value) {}
