package io.headspan.agent.invocation;

import org.jspecify.annotations.Nullable;

/// What a span is named after.
///
/// @param name method and template, the span's name
/// @param template the path with placeholders for what changes from request to request; null if the
///   request has no path, or its function has too many operations
public record Operation(String name, @Nullable String template) {}
