package io.headspan.wire.access;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;

/// The header `Authorization`.
public final class Authorization {
  /// What a server asks for, value of `WWW-Authenticate`.
  public static final String CHALLENGE = "Bearer, Basic realm=\"headspan: the token as password\"";

  private static final String BEARER = "bearer ";
  private static final String BASIC = "basic ";

  /// A token of ours has 43 characters.
  private static final int CHARACTERS_MAX = 2048;

  private Authorization() {}

  /// The token in a header: `Bearer …`, or the password of `Basic …`, which browsers ask for. Empty
  /// if there is none, or if the header is longer than any token makes it.
  public static Optional<String> token(String header) {
    if (header.length() > CHARACTERS_MAX) {
      return Optional.empty();
    }
    String value = header.strip();
    if (value.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      return Optional.of(value.substring(BEARER.length()).strip());
    }
    if (value.regionMatches(true, 0, BASIC, 0, BASIC.length())) {
      try {
        String pair =
            new String(
                Base64.getDecoder().decode(value.substring(BASIC.length()).strip()),
                StandardCharsets.UTF_8);
        return Optional.of(pair.substring(pair.indexOf(':') + 1));
      } catch (IllegalArgumentException _) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }
}
