package io.headspan.wire;

import java.util.List;

/// What sent log records or data points: a resource, and a scope in it.
public record SignalOrigin(
    List<TypedAttribute> resource,
    String resourceSchemaUrl,
    String scopeName,
    String scopeVersion,
    List<TypedAttribute> scope,
    String scopeSchemaUrl) {
  public SignalOrigin {
    resource = List.copyOf(resource);
    scope = List.copyOf(scope);
  }

  /// The string that the resource has as attribute `key`, "" if it has none.
  public String text(String key) {
    for (TypedAttribute each : resource) {
      if (each.key().equals(key) && each.value().type() == AttributeType.STRING) {
        return each.value().text();
      }
    }
    return "";
  }
}
