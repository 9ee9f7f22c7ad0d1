package io.headspan.query.access;

import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.logging.RequestLog;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.wire.access.Authorization;
import io.headspan.wire.access.ReloadedFile;
import io.headspan.wire.access.Token;
import io.headspan.wire.access.Tokens;
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Decides who sent a request, before anything answers it. Without tokens everybody is an operator,
/// and the query API listens on loopback only.
///
/// A token comes as `Authorization: Bearer …`, or as the password of `Authorization: Basic …`,
/// which browsers ask for.
public final class Access implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Access.class);
  private static final AttributeKey<Caller> CALLER = AttributeKey.valueOf(Access.class, "CALLER");
  private static final AttributeKey<String> QUERY = AttributeKey.valueOf(Access.class, "QUERY");

  /// For those who watch over the process; it says nothing of what is stored.
  private static final String READY = "/ready";

  /// About this process, and so about all tenants.
  private static final String METRICS = "/metrics";

  /// Most of a text in a line of the audit log.
  private static final int AUDIT_CHARACTERS = 4096;

  private static final String REQUESTED_WITH = "x-requested-with";
  private static final String PAGE = "headspan-page";

  private final Optional<ReloadedFile<Tokens>> tokens;
  private final Optional<Pseudonyms> pseudonyms;
  private final String region;
  private final Optional<AuditLog> audit;
  private final Map<Token, RateLimit> limits = new ConcurrentHashMap<>();

  private Access(
      Optional<Function<Consumer<Tokens>, ReloadedFile<Tokens>>> tokens,
      String region,
      Optional<AuditLog> audit) {
    this.tokens = tokens.map(opening -> opening.apply(this::changed));
    pseudonyms = this.tokens.flatMap(file -> file.current().pseudonymKey()).map(Pseudonyms::new);
    this.region = region;
    this.audit = audit;
  }

  /// Reads the tokens and opens the audit log.
  ///
  /// @param asException what to throw if the file of tokens is wrong
  /// @throws IOException if the audit log cannot be written or was tampered with
  public static Access of(
      AccessSettings settings, Function<String, ? extends RuntimeException> asException)
      throws IOException {
    return new Access(
        settings.tokens().map(file -> changed -> open(file, asException, changed)),
        settings.region(),
        settings.audit().isPresent()
            ? Optional.of(AuditLog.open(settings.audit().get(), Clock.systemUTC()))
            : Optional.empty());
  }

  /// The key of the pseudonyms is that of the start: other ones under way would make two tenants of
  /// one.
  private static ReloadedFile<Tokens> open(
      Path file,
      Function<String, ? extends RuntimeException> asException,
      Consumer<Tokens> changed) {
    Optional<String> key = Tokens.read(file, asException).pseudonymKey();
    return ReloadedFile.open(
        file,
        each -> {
          Tokens read = Tokens.read(each, asException);
          if (!read.pseudonymKey().equals(key)) {
            throw asException.apply(
                "pseudonym_key has changed: file=" + each + "; restart the query API to use it");
          }
          return read;
        },
        changed,
        e -> logger.warn("changed tokens are not used, the old ones are: {}", e.getMessage()));
  }

  private void changed(Tokens read) {
    limits.keySet().retainAll(read.all());
    logger.info("tokens read again: tokens={}", read.all().size());
  }

  /// Who sent the request.
  ///
  /// @throws IllegalStateException if the request did not come through [#decorate]: then nobody may
  ///   see anything
  public static Caller caller(ServiceRequestContext context) {
    Caller caller = context.attr(CALLER);
    if (caller == null) {
      throw new IllegalStateException("request of nobody: path=" + context.path());
    }
    return caller;
  }

  /// Notes for the audit log what a request asks whose query is not in its address.
  public static void noteQuery(ServiceRequestContext context, String query) {
    context.setAttr(QUERY, query);
  }

  /// What tenants see instead of others' names.
  public Optional<Pseudonyms> pseudonyms() {
    return pseudonyms;
  }

  /// Lets a request through to `next`, or answers why not.
  public HttpResponse decorate(HttpService next, ServiceRequestContext context, HttpRequest request)
      throws Exception {
    if (context.path().equals(READY)) {
      return next.serve(context, request);
    }
    Optional<Token> token =
        tokens.flatMap(file ->
            Authorization.token(request.headers().get(HttpHeaderNames.AUTHORIZATION, ""))
                .flatMap(file.current()::find));
    if (audit.map(AuditLog::refuses).orElse(false)) {
      return refusal(HttpStatus.SERVICE_UNAVAILABLE, "the audit log cannot be written");
    }
    audit.ifPresent(log -> noteEnd(log, context, request, token));
    if (tokens.isEmpty()) {
      context.setAttr(CALLER, Caller.ANYONE);
      return next.serve(context, request);
    }
    if (token.isEmpty()) {
      return unauthorized(request);
    }
    if (token.get().role().sends()) {
      return refusal(
          HttpStatus.FORBIDDEN,
          "the token is for sending, not for asking: role=" + token.get().role().label());
    }
    Caller caller = Caller.of(token.get());
    if (!token.get().isGoodIn(region)) {
      return refusal(
          HttpStatus.FORBIDDEN, "the token is not good in this region: region=" + region);
    }
    if (context.path().equals(METRICS) && caller.role() != Caller.Role.OPERATOR) {
      return refusal(HttpStatus.FORBIDDEN, "for operators only: path=" + METRICS);
    }
    if (!limit(token.get()).lets(System.nanoTime())) {
      return refusal(
          HttpStatus.TOO_MANY_REQUESTS,
          "too many requests: token="
              + caller.name()
              + ", per second="
              + token.get().requestsPerSecond());
    }
    context.setAttr(CALLER, caller);
    return next.serve(context, request);
  }

  private RateLimit limit(Token token) {
    return limits.computeIfAbsent(
        token, _ -> new RateLimit(token.requestsPerSecond(), System.nanoTime()));
  }

  /// A browser asks its user by itself where `Basic` is possible. The page asks better.
  private static HttpResponse unauthorized(HttpRequest request) {
    boolean ofPage = request.headers().get(REQUESTED_WITH, "").equals(PAGE);
    return HttpResponse.of(
        ResponseHeaders.builder(HttpStatus.UNAUTHORIZED)
            .contentType(MediaType.PLAIN_TEXT_UTF_8)
            .set(HttpHeaderNames.WWW_AUTHENTICATE, ofPage ? "Bearer" : Authorization.CHALLENGE)
            .build(),
        HttpData.ofUtf8("no known token: send Authorization: Bearer TOKEN"));
  }

  private static HttpResponse refusal(HttpStatus status, String reason) {
    return HttpResponse.of(status, MediaType.PLAIN_TEXT_UTF_8, reason);
  }

  private static void noteEnd(
      AuditLog log, ServiceRequestContext context, HttpRequest request, Optional<Token> token) {
    CompletableFuture<?> _ =
        context
            .log()
            .whenComplete()
            .thenAccept(ended -> log.add(record(ended, context, request, token)));
  }

  private static AuditRecord record(
      RequestLog ended, ServiceRequestContext context, HttpRequest request, Optional<Token> token) {
    @Nullable String noted = context.attr(QUERY);
    @Nullable String inAddress = context.query();
    String query = noted != null ? noted : inAddress != null ? inAddress : "";
    return new AuditRecord(
        Instant.ofEpochMilli(ended.requestStartTimeMillis()),
        token.map(Token::name).orElse(""),
        context.remoteAddress().getAddress().getHostAddress(),
        request.method().name(),
        shortened(context.path()),
        shortened(query),
        shortened(request.headers().get("x-scope-orgid", "")),
        ended.responseStatus().code(),
        TimeUnit.NANOSECONDS.toMillis(ended.totalDurationNanos()));
  }

  private static String shortened(String text) {
    return text.length() <= AUDIT_CHARACTERS ? text : text.substring(0, AUDIT_CHARACTERS) + "…";
  }

  @Override
  public void close() {
    audit.ifPresent(AuditLog::close);
  }
}
