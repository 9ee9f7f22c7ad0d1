package io.headspan.query.access;

import io.headspan.wire.access.Token;
import java.util.List;

/// Who sent a request.
///
/// @param name of the token, for the audit log; "" where no tokens are in use
/// @param role what the caller may see beside the spans of `tenants`
/// @param tenants whose spans the caller may see; of all if empty
public record Caller(String name, Role role, List<String> tenants) {
  /// Whoever reaches a query API without tokens.
  static final Caller ANYONE = new Caller("", Role.OPERATOR, List.of());

  /// What a token stands for.
  public enum Role {
    /// Runs the platform: sees other tenants' names.
    OPERATOR,
    /// Is a tenant: sees pseudonyms of all others.
    TENANT
  }

  /// Whom a token is of.
  static Caller of(Token token) {
    return new Caller(
        token.name(),
        token.role() == io.headspan.wire.access.Role.TENANT ? Role.TENANT : Role.OPERATOR,
        token.tenants());
  }

  public Caller {
    tenants = List.copyOf(tenants);
    if (role == Role.TENANT && tenants.isEmpty()) {
      throw new IllegalArgumentException("a tenant's caller without tenants: name=" + name);
    }
  }
}
