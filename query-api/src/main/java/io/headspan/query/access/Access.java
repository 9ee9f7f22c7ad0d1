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
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Decides who sent a request, before anything answers it. Without tokens everybody is an operator,
/// and the query API listens on loopback only.
///
/// A token comes as `Authorization: Bearer …`, or as the password of `Authorization: Basic …`,
/// which browsers ask for.
public final class Access implements AutoCloseable {
  private static final AttributeKey<Caller> CALLER = AttributeKey.valueOf(Access.class, "CALLER");
  private static final AttributeKey<String> QUERY = AttributeKey.valueOf(Access.class, "QUERY");

  /// For those who watch over the process; it says nothing of what is stored.
  private static final String READY = "/ready";

  /// About this process, and so about all tenants.
  private static final String METRICS = "/metrics";

  private static final String BEARER = "bearer ";
  private static final String BASIC = "basic ";
  private static final String CHALLENGE = "Bearer, Basic realm=\"headspan: the token as password\"";
  private static final int QUERY_CHARACTERS = 4096;

  private final Optional<Tokens> tokens;
  private final String region;
  private final Optional<AuditLog> audit;
  private final Map<String, RateLimit> limits = new ConcurrentHashMap<>();

  private Access(Optional<Tokens> tokens, String region, Optional<AuditLog> audit) {
    this.tokens = tokens;
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
    Optional<Tokens> tokens = settings.tokens().map(file -> Tokens.read(file, asException));
    return new Access(
        tokens,
        settings.region(),
        settings.audit().isPresent()
            ? Optional.of(AuditLog.open(settings.audit().get()))
            : Optional.empty());
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
    return tokens.flatMap(Tokens::pseudonyms);
  }

  /// Lets a request through to `next`, or answers why not.
  public HttpResponse decorate(HttpService next, ServiceRequestContext context, HttpRequest request)
      throws Exception {
    if (context.path().equals(READY)) {
      return next.serve(context, request);
    }
    Optional<Token> token = tokens.flatMap(all -> presented(request).flatMap(all::find));
    audit.ifPresent(log -> noteEnd(log, context, request, token));
    if (audit.map(AuditLog::isBroken).orElse(false)) {
      return refusal(HttpStatus.SERVICE_UNAVAILABLE, "the audit log cannot be written");
    }
    if (tokens.isEmpty()) {
      context.setAttr(CALLER, Caller.ANYONE);
      return next.serve(context, request);
    }
    if (token.isEmpty()) {
      return unauthorized();
    }
    Caller caller = token.get().caller();
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
        token.sha256(), _ -> new RateLimit(token.requestsPerSecond(), System.nanoTime()));
  }

  private static Optional<String> presented(HttpRequest request) {
    String header = request.headers().get(HttpHeaderNames.AUTHORIZATION, "").strip();
    if (header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      return Optional.of(header.substring(BEARER.length()).strip());
    }
    if (header.regionMatches(true, 0, BASIC, 0, BASIC.length())) {
      try {
        String pair =
            new String(
                Base64.getDecoder().decode(header.substring(BASIC.length()).strip()),
                StandardCharsets.UTF_8);
        return Optional.of(pair.substring(pair.indexOf(':') + 1));
      } catch (IllegalArgumentException _) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }

  private static HttpResponse unauthorized() {
    return HttpResponse.of(
        ResponseHeaders.builder(HttpStatus.UNAUTHORIZED)
            .contentType(MediaType.PLAIN_TEXT_UTF_8)
            .set(HttpHeaderNames.WWW_AUTHENTICATE, CHALLENGE)
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
            .thenAccept(ended -> log.add(number -> record(number, ended, context, request, token)));
  }

  private static AuditRecord record(
      long number,
      RequestLog ended,
      ServiceRequestContext context,
      HttpRequest request,
      Optional<Token> token) {
    @Nullable String noted = context.attr(QUERY);
    @Nullable String inAddress = context.query();
    String query = noted != null ? noted : inAddress != null ? inAddress : "";
    return new AuditRecord(
        number,
        Instant.ofEpochMilli(ended.requestStartTimeMillis()),
        token.map(each -> each.caller().name()).orElse(""),
        context.remoteAddress().getAddress().getHostAddress(),
        request.method().name(),
        context.path(),
        query.length() <= QUERY_CHARACTERS ? query : query.substring(0, QUERY_CHARACTERS) + "…",
        request.headers().get("x-scope-orgid", ""),
        ended.responseStatus().code(),
        TimeUnit.NANOSECONDS.toMillis(ended.totalDurationNanos()));
  }

  @Override
  public void close() {
    audit.ifPresent(AuditLog::close);
  }
}
