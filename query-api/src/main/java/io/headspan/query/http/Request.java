package io.headspan.query.http;

import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.query.access.Access;
import io.headspan.query.access.Pseudonyms;
import io.headspan.query.traceql.GoDuration;
import io.headspan.query.traceql.TimeRange;
import java.math.BigDecimal;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/// A request's parameters, typed. A value that cannot be read is a [RequestException] that names
/// the parameter.
public final class Request {
  /// How far back a request without start looks.
  private static final Duration RECENT = Duration.ofHours(1);

  /// Clocks of senders may run ahead of ours.
  private static final Duration AHEAD = Duration.ofMinutes(1);

  private static final String SCOPE_HEADER = "x-scope-orgid";

  private static final BigDecimal NS_PER_SECOND = BigDecimal.valueOf(1_000_000_000);

  /// From here on a number is ns and not s: 1e11 s are 3,000 years, 1e11 ns are under 2 minutes.
  private static final BigDecimal FIRST_NS = BigDecimal.valueOf(100_000_000_000L);

  private final ServiceRequestContext context;
  private final Clock clock;

  Request(ServiceRequestContext context, Clock clock) {
    this.context = context;
    this.clock = clock;
  }

  /// A part of the path; "" if the route has none of that name.
  public String path(String name) {
    String value = context.pathParam(name);
    return value == null ? "" : value;
  }

  /// A query parameter; empty if absent or blank.
  public Optional<String> parameter(String name) {
    return Optional.ofNullable(context.queryParam(name)).filter(value -> !value.isBlank());
  }

  /// What the caller may see, and of that, what it wants to: `X-Scope-OrgID: a|b`.
  ///
  /// @param pseudonyms of other tenants' names, for callers who are tenants
  /// @throws RequestException if it wants what it may not see
  VisibleTenants visible(Optional<Pseudonyms> pseudonyms) {
    String header = context.request().headers().get(SCOPE_HEADER, "");
    List<String> asked =
        Stream.of(header.split("\\|"))
            .map(String::strip)
            .filter(tenant -> !tenant.isEmpty())
            .distinct()
            .toList();
    return VisibleTenants.of(Access.caller(context), asked, pseudonyms);
  }

  /// All values of a query parameter.
  public List<String> parameters(String name) {
    return context.queryParams().getAll(name);
  }

  /// What the clock says, in ns since the Unix epoch.
  public long nowNs() {
    return ns(clock.instant());
  }

  public int integer(String name, int otherwise, int min, int max) {
    Optional<String> text = parameter(name);
    if (text.isEmpty()) {
      return otherwise;
    }
    try {
      int value = Integer.parseInt(text.get().strip());
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException _) {
      // Reported below, like a number out of range.
    }
    throw RequestException.badRequest(
        "not a number in range: " + name + "=" + text.get() + ", want=" + min + ".." + max);
  }

  /// A duration in Go's form.
  public Optional<Duration> duration(String name) {
    return parameter(name)
        .map(text ->
            GoDuration.parse(text.strip())
                .filter(ns -> ns >= 0)
                .map(Duration::ofNanos)
                .orElseThrow(() ->
                    RequestException.badRequest(
                        "not a duration: " + name + "=" + text + ", want=1h30m, 100ms …")));
  }

  /// `start` and `end` as unix seconds or nanoseconds or RFC 3339; the last hour if they are absent
  /// or 0. The end is included with its whole second.
  public TimeRange timeRange() {
    return timeRange(time("start"), time("end"));
  }

  /// The same of times in ns, 0 if they are absent.
  public TimeRange timeRange(long startNs, long endNs) {
    return timeRange(optional(startNs), optional(endNs));
  }

  private static Optional<Long> optional(long timeNs) {
    return timeNs == 0 ? Optional.empty() : Optional.of(timeNs);
  }

  private TimeRange timeRange(Optional<Long> start, Optional<Long> end) {
    Instant now = clock.instant();
    long endNs = end.map(time -> wholeSecond(time)).orElse(ns(now.plus(AHEAD)));
    long startNs = start.orElse(Math.max(0, endNs - RECENT.plus(AHEAD).toNanos()));
    if (startNs > endNs) {
      throw RequestException.badRequest(
          "start lies after end: startNs=" + startNs + ", endNs=" + endNs);
    }
    return new TimeRange(startNs, endNs);
  }

  /// `start` and `end` as they stand, in any of the forms of [#timeRange]; `since` (a duration)
  /// counts back from the end if there is no start.
  public TimeRange exactRange() {
    return exactRange(time("start"), time("end"), duration("since").orElse(RECENT));
  }

  /// The same of times in ns, 0 if they are absent.
  public TimeRange exactRange(long startNs, long endNs) {
    return exactRange(optional(startNs), optional(endNs), RECENT);
  }

  /// Two parameters as they stand, in any of the forms of [#timeRange]; the last hour up to now if
  /// they are absent.
  public TimeRange exactRange(String from, String to) {
    return exactRange(time(from), time(to), RECENT);
  }

  /// Two times of one parameter.
  public static TimeRange exactRange(String name, String from, String to) {
    long fromNs = time(name, from).orElseThrow(() -> noTime(name, from));
    long toNs = time(name, to).orElseThrow(() -> noTime(name, to));
    if (fromNs >= toNs) {
      throw RequestException.badRequest(
          "start does not lie before end: " + name + "=" + from + "/" + to);
    }
    return new TimeRange(fromNs, toNs);
  }

  private TimeRange exactRange(Optional<Long> start, Optional<Long> end, Duration back) {
    long endNs = end.orElseGet(() -> ns(clock.instant()));
    long startNs = start.orElse(Math.max(0, endNs - back.toNanos()));
    if (startNs >= endNs) {
      throw RequestException.badRequest(
          "start does not lie before end: startNs=" + startNs + ", endNs=" + endNs);
    }
    return new TimeRange(startNs, endNs);
  }

  /// A length of time, in Go's form or as a number of seconds; more than nothing.
  public Optional<Duration> step(String name) {
    return parameter(name)
        .map(text -> {
          try {
            long ns = new BigDecimal(text.strip()).multiply(NS_PER_SECOND).longValue();
            if (ns > 0) {
              return Duration.ofNanos(ns);
            }
          } catch (NumberFormatException _) {
            Optional<Long> ns = GoDuration.parse(text.strip()).filter(parsed -> parsed > 0);
            if (ns.isPresent()) {
              return Duration.ofNanos(ns.get());
            }
          }
          throw RequestException.badRequest(
              "not a step: " + name + "=" + text + ", want=30s, 1m, 15 …");
        });
  }

  private static long wholeSecond(long ns) {
    long second = 1_000_000_000;
    return ns % second == 0 ? ns + second - 1 : ns;
  }

  private Optional<Long> time(String name) {
    return parameter(name).flatMap(text -> time(name, text.strip()));
  }

  /// Empty if it is 0.
  private static Optional<Long> time(String name, String text) {
    try {
      BigDecimal number = new BigDecimal(text);
      if (number.signum() == 0) {
        return Optional.empty();
      }
      BigDecimal ns =
          number.abs().compareTo(FIRST_NS) < 0 ? number.multiply(NS_PER_SECOND) : number;
      if (ns.signum() > 0 && ns.precision() - ns.scale() <= 19) {
        return Optional.of(ns.toBigInteger().longValueExact());
      }
    } catch (NumberFormatException _) {
      try {
        return Optional.of(ns(OffsetDateTime.parse(text).toInstant()));
      } catch (DateTimeParseException _) {
        // Reported below.
      }
    } catch (ArithmeticException _) {
      // Reported below.
    }
    throw noTime(name, text);
  }

  private static RequestException noTime(String name, String text) {
    return RequestException.badRequest(
        "not a time: " + name + "=" + text + ", want=unix seconds or RFC 3339");
  }

  private static long ns(Instant instant) {
    return Math.addExact(
        Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
  }

  /// Has `action` run if the caller goes away, or the request takes too long, before it is
  /// answered. It must not block.
  void onCancel(Runnable action) {
    CompletableFuture<?> _ = context.whenRequestCancelling().thenRun(action);
  }

  /// Whether nobody waits for the answer any more.
  boolean isCancelled() {
    return context.isCancelled();
  }

  /// Whether the caller prefers protobuf to JSON.
  public boolean acceptsProtobuf() {
    return context.request().headers().getAll(HttpHeaderNames.ACCEPT).stream()
        .anyMatch(accept ->
            accept.contains("application/protobuf")
                || accept.contains(MediaType.PROTOBUF.toString())
                || accept.contains("application/x-protobuf"));
  }
}
