package io.headspan.query.access;

import io.headspan.wire.config.Section;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The tokens of a query API, by their hashes.
///
/// A token is 32 random bytes, so a plain hash of it tells nothing; see [#hash].
public final class Tokens {
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
  private static final double USUAL_RATE = 50;
  private static final int SHORTEST_KEY = 16;

  private final Map<String, Token> byHash;
  private final Optional<Pseudonyms> pseudonyms;

  private Tokens(Map<String, Token> byHash, Optional<Pseudonyms> pseudonyms) {
    this.byHash = Map.copyOf(byHash);
    this.pseudonyms = pseudonyms;
  }

  /// Reads a file of tokens.
  ///
  /// @param asException what to throw with all that is wrong with it
  public static Tokens read(Path file, Function<String, ? extends RuntimeException> asException) {
    Settings settings =
        Settings.of("tokens", SettingSources.of(Map.of("HEADSPAN_TOKENS_CONFIG", file.toString())));
    Optional<String> key = settings.text("pseudonym_key");
    Map<String, Token> byHash = new HashMap<>();
    boolean hasTenants = false;
    for (Section section : settings.sections("tokens")) {
      Optional<Token> token = token(section);
      if (token.isPresent()) {
        hasTenants |= token.get().caller().role() == Caller.Role.TENANT;
        if (byHash.put(token.get().sha256(), token.get()) != null) {
          section.problem("token given twice");
        }
      }
    }
    if (hasTenants && key.filter(text -> text.length() >= SHORTEST_KEY).isEmpty()) {
      settings.problem(
          "pseudonym_key",
          "tokens of tenants need a secret of "
              + SHORTEST_KEY
              + " characters or more, from which the pseudonyms of other tenants are made");
    }
    settings.finish("the file of tokens", asException);
    return new Tokens(byHash, key.map(Pseudonyms::new));
  }

  private static Optional<Token> token(Section section) {
    String name = section.text("name").orElse("");
    String sha256 = section.text("sha256").map(text -> text.toLowerCase(Locale.ROOT)).orElse("");
    String role = section.text("role").orElse("");
    List<String> tenants = list(section, "tenants");
    List<String> regions = list(section, "regions");
    Optional<Double> rate = rate(section);
    boolean isTenant = role.equals("tenant");
    if (name.isEmpty()) {
      section.problem("token without a name");
    } else if (!SHA256.matcher(sha256).matches()) {
      section.problem("sha256 is not 64 hex digits (`headspan token new` makes them)");
    } else if (!isTenant && !role.equals("operator")) {
      section.problem("role is neither operator nor tenant");
    } else if (isTenant && tenants.isEmpty()) {
      section.problem("token of a tenant without tenants");
    } else if (rate.isEmpty()) {
      section.problem("requests_per_second is no number above 0");
    } else {
      return Optional.of(
          new Token(
              new Caller(name, isTenant ? Caller.Role.TENANT : Caller.Role.OPERATOR, tenants),
              sha256,
              regions,
              rate.get()));
    }
    return Optional.empty();
  }

  private static List<String> list(Section section, String key) {
    return section.text(key).stream()
        .flatMap(text -> Stream.of(text.split(",")))
        .map(String::strip)
        .filter(each -> !each.isEmpty())
        .toList();
  }

  private static Optional<Double> rate(Section section) {
    try {
      return section
          .text("requests_per_second")
          .map(Double::valueOf)
          .or(() -> Optional.of(USUAL_RATE))
          .filter(rate -> rate > 0);
    } catch (NumberFormatException _) {
      return Optional.empty();
    }
  }

  Optional<Token> find(String token) {
    return Optional.ofNullable(byHash.get(hash(token)));
  }

  /// What tenants see instead of others' names; absent if there are no tenants' tokens.
  Optional<Pseudonyms> pseudonyms() {
    return pseudonyms;
  }

  /// How a token stands in the file: SHA-256 in hex.
  public static String hash(String token) {
    return HexFormat.of().formatHex(sha256(token.getBytes(StandardCharsets.UTF_8)));
  }

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
