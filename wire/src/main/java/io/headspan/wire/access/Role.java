package io.headspan.wire.access;

import java.util.Locale;
import java.util.Optional;

/// What a token is good for. None of them is good for both asking and sending, so that a token
/// which gets out of a dashboard writes nothing, and one which gets out of a function reads
/// nothing.
public enum Role {
  /// Runs the platform: asks about all tenants and knows their names, scrapes metrics.
  OPERATOR,
  /// Asks about its own tenants, and sees pseudonyms of all others.
  TENANT,
  /// Sends for whichever tenant it says, or for those it is given: a node agent, or a collector
  /// that stands between.
  AGENT,
  /// Sends for its own tenants only: a function's own SDK.
  SENDER;

  /// The role of this name in the file of tokens.
  static Optional<Role> of(String name) {
    for (Role role : values()) {
      if (role.label().equals(name)) {
        return Optional.of(role);
      }
    }
    return Optional.empty();
  }

  /// Its name in the file of tokens.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /// Whether one with this role sends; else it asks.
  public boolean sends() {
    return this == AGENT || this == SENDER;
  }
}
