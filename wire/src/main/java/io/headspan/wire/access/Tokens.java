package io.headspan.wire.access;

import io.headspan.wire.config.Section;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A file of tokens, as it was when it was read. The collector and the query API may share one.
///
/// A token is 32 random bytes, so a plain hash of it tells nothing; see [#hash].
public final class Tokens {
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
  private static final double USUAL_RATE = 50;
  private static final int SHORTEST_KEY = 16;

  private final Map<String, Token> byHash;
  private final Map<Pattern, Token> byCertificate;
  private final Optional<String> pseudonymKey;

  private Tokens(
      Map<String, Token> byHash, Map<Pattern, Token> byCertificate, Optional<String> pseudonymKey) {
    this.byHash = Map.copyOf(byHash);
    this.byCertificate = byCertificate;
    this.pseudonymKey = pseudonymKey;
  }

  /// Reads a file of tokens.
  ///
  /// @param asException what to throw with all that is wrong with it
  public static Tokens read(Path file, Function<String, ? extends RuntimeException> asException) {
    Settings settings =
        Settings.of("tokens", SettingSources.of(Map.of("HEADSPAN_TOKENS_CONFIG", file.toString())));
    Optional<String> pseudonymKey = settings.text("pseudonym_key");
    Map<String, Token> byHash = new HashMap<>();
    Map<String, Token> byName = new LinkedHashMap<>();
    boolean hasTenants = false;
    List<Section> sections = settings.sections("tokens");
    if (sections.isEmpty()) {
      // Also what a file says that is being written.
      settings.secretProblem("tokens", "without tokens nobody is let in");
    }
    for (Section section : sections) {
      Optional<Token> token = token(section);
      if (token.isPresent()) {
        hasTenants |= token.get().role() == Role.TENANT;
        Token before =
            switch (token.get().key()) {
              case Token.Hash(String sha256) -> byHash.put(sha256, token.get());
              case Token.Certificate(String pattern) -> byName.put(pattern, token.get());
            };
        if (before != null) {
          section.problem("token given twice");
        }
      }
    }
    if (hasTenants && pseudonymKey.filter(text -> text.length() >= SHORTEST_KEY).isEmpty()) {
      settings.secretProblem(
          "pseudonym_key",
          "tokens of tenants need a secret of "
              + SHORTEST_KEY
              + " characters or more, from which the pseudonyms of other tenants are made");
    }
    settings.finish("the file of tokens", asException);
    Map<Pattern, Token> byCertificate = new LinkedHashMap<>();
    byName.forEach((pattern, token) -> byCertificate.put(compiled(pattern), token));
    return new Tokens(byHash, byCertificate, pseudonymKey);
  }

  private static Optional<Token> token(Section section) {
    String name = section.text("name").orElse("");
    String sha256 = section.text("sha256").map(text -> text.toLowerCase(Locale.ROOT)).orElse("");
    String certificate = section.text("certificate").orElse("");
    Optional<Role> role = section.text("role").flatMap(Role::of);
    List<String> tenants = list(section, "tenants");
    List<String> regions = list(section, "regions");
    Optional<Double> rate = rate(section);
    if (name.isEmpty()) {
      section.problem("token without a name");
    } else if (sha256.isEmpty() == certificate.isEmpty()) {
      section.problem("a token has either sha256 (`headspan token new` makes it) or certificate");
    } else if (!sha256.isEmpty() && !SHA256.matcher(sha256).matches()) {
      section.problem("sha256 is not 64 hex digits (`headspan token new` makes them)");
    } else if (role.isEmpty()) {
      section.problem("role is none of operator, tenant, agent and sender");
    } else if (!certificate.isEmpty() && role.get() == Role.TENANT) {
      section.problem("a certificate is for senders and operators, not for role tenant");
    } else if (tenants.isEmpty() && (role.get() == Role.TENANT || role.get() == Role.SENDER)) {
      section.problem("token of a " + role.get().label() + " without tenants");
    } else if (rate.isEmpty()) {
      section.problem("requests_per_second is no number above 0");
    } else {
      return Optional.of(
          new Token(
              name,
              role.get(),
              tenants,
              regions,
              rate.get(),
              certificate.isEmpty() ? new Token.Hash(sha256) : new Token.Certificate(certificate)));
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

  private static Pattern compiled(String pattern) {
    return Pattern.compile(
        Stream.of(pattern.split("\\*", -1))
            .map(Pattern::quote)
            .collect(Collectors.joining("[^./]*")));
  }

  /// The entry of a token.
  public Optional<Token> find(String token) {
    return findByHash(hash(token));
  }

  /// The entry of a token of which only the hash is known.
  public Optional<Token> findByHash(String sha256) {
    return Optional.ofNullable(byHash.get(sha256));
  }

  /// The entry of a certificate: the first in the file that fits one of its names.
  ///
  /// @param names of the certificate, whose holder was checked by TLS
  public Optional<Token> findByCertificate(List<String> names) {
    return byCertificate.entrySet().stream()
        .filter(entry -> names.stream().anyMatch(name -> entry.getKey().matcher(name).matches()))
        .map(Map.Entry::getValue)
        .findFirst();
  }

  /// All entries.
  public List<Token> all() {
    List<Token> all = new ArrayList<>(byHash.values());
    all.addAll(byCertificate.values());
    return all;
  }

  /// The secret of the platform that pseudonyms of tenants are made with; absent only if no token
  /// is a tenant's.
  public Optional<String> pseudonymKey() {
    return pseudonymKey;
  }

  /// How a token stands in the file: SHA-256 in hex.
  public static String hash(String token) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
