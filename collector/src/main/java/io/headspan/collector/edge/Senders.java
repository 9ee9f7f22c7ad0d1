package io.headspan.collector.edge;

import io.headspan.wire.access.ReloadedFile;
import io.headspan.wire.access.Role;
import io.headspan.wire.access.Token;
import io.headspan.wire.access.Tokens;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Knows who may send. Without a file of tokens that is everybody who reaches the collector: over
/// loopback, or with a certificate of the listener's authorities.
///
/// A header `Authorization` decides; only where there is none, a client certificate does. So a bad
/// token is never made good by what lies below it. Thread-safe.
public final class Senders {
  private static final Logger logger = LoggerFactory.getLogger(Senders.class);

  private final Optional<ReloadedFile<Tokens>> tokens;
  private final String region;
  private final Map<Verdict.Reason, Counter> refused = new EnumMap<>(Verdict.Reason.class);

  /// Reads the file of tokens.
  ///
  /// @param region where this collector is, for tokens that are good in some regions only
  /// @param asException what to throw if the file is wrong
  public static Senders open(
      Optional<Path> file,
      String region,
      MeterRegistry registry,
      Function<String, ? extends RuntimeException> asException) {
    return new Senders(
        file.map(each ->
            ReloadedFile.open(
                each,
                path -> Tokens.read(path, asException),
                read -> logger.info("tokens read again: tokens={}", read.all().size()),
                e ->
                    logger.warn(
                        "changed tokens are not used, the old ones are: {}", e.getMessage()))),
        region,
        registry);
  }

  private Senders(Optional<ReloadedFile<Tokens>> tokens, String region, MeterRegistry registry) {
    this.tokens = tokens;
    this.region = region;
    for (Verdict.Reason reason : Verdict.Reason.values()) {
      refused.put(
          reason,
          Counter.builder("headspan.collector.refused")
              .description("Calls and streams not let in")
              .tag("reason", reason.label())
              .register(registry));
    }
  }

  /// Whether a caller may send, and who it is.
  public Verdict sender(Credentials shown) {
    if (tokens.isEmpty()) {
      return new Verdict.Known(Sender.ANYONE);
    }
    Optional<Token> token = token(shown);
    if (token.isEmpty()) {
      return unknown(shown);
    }
    Token known = token.get();
    if (!known.role().sends()) {
      return refuse(
          Verdict.Reason.FORBIDDEN, "the token is not for sending: role=" + known.role().label());
    }
    return known.isGoodIn(region)
        ? new Verdict.Known(new Sender(known.name(), known.role() == Role.SENDER, known.tenants()))
        : elsewhere();
  }

  /// Whether a caller may report about nodes, which only the platform's own parts do.
  public Verdict agent(Credentials shown) {
    Verdict verdict = sender(shown);
    return verdict instanceof Verdict.Known(Sender sender) && sender.bound()
        ? refuse(Verdict.Reason.FORBIDDEN, "reports about nodes are for tokens of role agent")
        : verdict;
  }

  /// Why a caller may not see what the collector tells about itself, and so about all tenants;
  /// empty if it may.
  public Optional<Verdict.Refused> whyNotOperator(Credentials shown) {
    if (tokens.isEmpty()) {
      return Optional.empty();
    }
    Optional<Token> token = token(shown);
    if (token.isEmpty()) {
      return Optional.of(unknown(shown));
    }
    if (token.get().role() != Role.OPERATOR || !token.get().tenants().isEmpty()) {
      return Optional.of(refuse(Verdict.Reason.FORBIDDEN, "for operators of all tenants only"));
    }
    return token.get().isGoodIn(region) ? Optional.empty() : Optional.of(elsewhere());
  }

  private Optional<Token> token(Credentials shown) {
    Tokens current = tokens.orElseThrow().current();
    return shown.hasHeader()
        ? shown.tokenHash().flatMap(current::findByHash)
        : current.findByCertificate(shown.certificate());
  }

  private Verdict.Refused unknown(Credentials shown) {
    return refuse(
        Verdict.Reason.UNAUTHENTICATED,
        shown.hasHeader() || shown.certificate().isEmpty()
            ? "no known token: send Authorization: Bearer TOKEN"
            : "no known certificate: names=" + shown.certificate());
  }

  private Verdict.Refused elsewhere() {
    return refuse(
        Verdict.Reason.FORBIDDEN, "the token is not good in this region: region=" + region);
  }

  private Verdict.Refused refuse(Verdict.Reason reason, String why) {
    Objects.requireNonNull(refused.get(reason)).increment();
    return new Verdict.Refused(reason, why);
  }
}
