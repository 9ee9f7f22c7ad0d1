package io.headspan.wire.access;

import java.util.List;

/// An entry of the file of tokens: of a token, by its hash, or of a client certificate, by its
/// name.
///
/// @param name of the token, for logs and the audit log
/// @param tenants of whose data it is good; of all if empty
/// @param regions where it is good; everywhere if empty
/// @param requestsPerSecond how often it may ask, in the long run
/// @param key by what it is known
public record Token(
    String name,
    Role role,
    List<String> tenants,
    List<String> regions,
    double requestsPerSecond,
    Key key) {
  /// By what an entry is known.
  public sealed interface Key {}

  /// A token.
  ///
  /// @param sha256 of the token, 64 hex digits; the token itself is nowhere
  public record Hash(String sha256) implements Key {}

  /// A client certificate that the listener's authorities vouch for.
  ///
  /// @param pattern its name, in which `*` stands for anything without `.` and `/`
  public record Certificate(String pattern) implements Key {}

  public Token {
    tenants = List.copyOf(tenants);
    regions = List.copyOf(regions);
  }

  /// Whether it may be used in `region`.
  public boolean isGoodIn(String region) {
    return regions.isEmpty() || regions.contains(region);
  }
}
