package io.headspan.collector.edge;

import java.util.List;

/// Who sent something.
///
/// @param name of the token; "" where no tokens are in use
/// @param bound whether it is a tenant's own program, such as a function's SDK; else it is part of
///   the platform, such as a node agent
/// @param tenants for whom it may send; for all if empty
public record Sender(String name, boolean bound, List<String> tenants) {
  /// Whoever reaches a collector without tokens.
  public static final Sender ANYONE = new Sender("", false, List.of());

  public Sender {
    tenants = List.copyOf(tenants);
    if (bound && tenants.isEmpty()) {
      throw new IllegalArgumentException("bound to no tenant: name=" + name);
    }
  }

  /// Whether nothing that it says of tenants needs to be looked at.
  boolean mayStateAny() {
    return tenants.isEmpty();
  }

  /// Whether what it sends may be of `tenant`.
  ///
  /// @param tenant "" for none; that, and names in braces such as `{host}`, are the platform's
  boolean maySendFor(String tenant) {
    if (tenants.isEmpty()) {
      return true;
    }
    boolean isPlatform = tenant.isEmpty() || tenant.startsWith("{");
    return isPlatform ? !bound : tenants.contains(tenant);
  }

  /// The deduplication token of its batch: what two tenants' programs send is never one batch, and
  /// neither is what a program and an agent send, whatever name or content it has. Not made of the
  /// token's name, so that a batch may be sent again with a new one.
  public String nameOf(String deduplicationToken) {
    return bound
        ? "of/" + String.join(",", tenants) + "/" + deduplicationToken
        : deduplicationToken;
  }
}
