package io.headspan.query.jaeger;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.linecorp.armeria.common.HttpStatus;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.GoDuration;
import io.headspan.query.traceql.SearchPlanner;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceQl;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/// Finds traces with a span that fulfils all conditions of a search, by writing it as TraceQL.
final class JaegerSearch {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 5_000;
  private static final Duration DEFAULT_LOOKBACK = Duration.ofDays(2);
  private static final long NS_PER_US = 1_000;

  /// Numbers as Jaeger writes them: a tag is compared as text.
  private static final Pattern INTEGER = Pattern.compile("0|-?[1-9][0-9]{0,17}");

  private static final Pattern REAL = Pattern.compile("-?(0|[1-9][0-9]*)\\.[0-9]*[1-9]");
  private static final Set<String> TRUE = Set.of("1", "t", "T", "TRUE", "true", "True");
  private static final Set<String> FALSE = Set.of("0", "f", "F", "FALSE", "false", "False");
  private static final Set<String> KINDS =
      Set.of("internal", "server", "client", "producer", "consumer");
  private static final String NOTHING = "false";
  private static final String RESOURCE = "resource.";

  /// Letters of 16 bytes in base64.
  private static final int MAX_BASE64 = 24;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Queries queries;

  JaegerSearch(Queries queries) {
    this.queries = queries;
  }

  /// The ids of the newest traces that parameters of version 1 ask for.
  List<String> version1(Request request) {
    List<String> conditions = new ArrayList<>();
    conditions.add(service(JaegerApi.required(request, "service")));
    request
        .parameter("operation")
        .ifPresent(name -> conditions.add("name = " + TraceQl.quoted(name)));
    Map<String, String> tags = new LinkedHashMap<>();
    for (String tag : request.parameters("tag")) {
      int colon = tag.indexOf(':');
      if (colon < 0) {
        throw RequestException.badRequest(
            "malformed 'tag' parameter, expecting key:value, received: " + tag);
      }
      tags.put(tag.substring(0, colon), tag.substring(colon + 1));
    }
    request.parameters("tags").forEach(json -> tags.putAll(tags("tags", json)));
    tags.forEach((key, value) -> conditions.add(tag(key, value)));
    durations(conditions, duration(request, "minDuration"), duration(request, "maxDuration"));
    int limit = request.parameter("limit").map(text -> limit("limit", text)).orElse(DEFAULT_LIMIT);
    long toNs = microseconds(request, "end").orElseGet(request::nowNs);
    long fromNs =
        microseconds(request, "start")
            .orElseGet(() ->
                Math.max(
                    0, toNs - duration(request, "lookback").orElse(DEFAULT_LOOKBACK).toNanos()));
    return find(request, conditions, fromNs, toNs, limit);
  }

  /// The ids of the newest traces that parameters of version 3 ask for.
  List<String> version3(Request request) {
    List<String> conditions = new ArrayList<>();
    either(request, "query.serviceName", "query.service_name")
        .ifPresent(name -> conditions.add(service(name.value())));
    either(request, "query.operationName", "query.operation_name")
        .ifPresent(name -> conditions.add("name = " + TraceQl.quoted(name.value())));
    request
        .parameter("query.attributes")
        .ifPresent(json ->
            tags("query.attributes", json)
                .forEach((key, value) -> conditions.add(tag(key, value))));
    durations(
        conditions,
        bound(either(request, "query.durationMin", "query.duration_min")),
        bound(either(request, "query.durationMax", "query.duration_max")));
    int limit =
        either(request, "query.searchDepth", "query.search_depth")
            .or(() -> either(request, "query.num_traces", "query.num_traces"))
            .map(depth -> limit(depth.name(), depth.value()))
            .orElse(DEFAULT_LIMIT);
    long fromNs = instant(request, "query.startTimeMin", "query.start_time_min");
    long toNs = instant(request, "query.startTimeMax", "query.start_time_max");
    if (fromNs >= toNs) {
      throw RequestException.badRequest("query.startTimeMin must be before query.startTimeMax");
    }
    return find(request, conditions, fromNs, toNs, limit);
  }

  /// A parameter under one of its names.
  private record Named(String name, String value) {}

  /// A parameter of version 3: in the spelling of JSON, or in the one that came before.
  private static Optional<Named> either(Request request, String name, String before) {
    return request
        .parameter(name)
        .map(value -> new Named(name, value))
        .or(() -> request.parameter(before).map(value -> new Named(before, value)));
  }

  private List<String> find(
      Request request, List<String> conditions, long fromNs, long toNs, int limit) {
    if (fromNs > toNs) {
      return List.of();
    }
    String query = "{ " + String.join(" && ", conditions) + " }";
    return queries.run(
        request,
        SearchPlanner.plan(TraceQl.parse(query), new TimeRange(fromNs, toNs)).candidates(limit),
        row -> row.text(0));
  }

  private static String service(String name) {
    return "resource.service.name = " + TraceQl.quoted(name);
  }

  private static void durations(
      List<String> conditions, Optional<Duration> min, Optional<Duration> max) {
    min.ifPresent(duration -> conditions.add("duration >= " + duration.toNanos() + "ns"));
    max.ifPresent(duration -> conditions.add("duration <= " + duration.toNanos() + "ns"));
    if (min.isPresent() && max.isPresent() && min.get().compareTo(max.get()) > 0) {
      throw RequestException.badRequest(
          "'maxDuration' should be greater than 'minDuration': minDuration="
              + min.get()
              + ", maxDuration="
              + max.get());
    }
  }

  /// A tag of a span, its scope or its process, or of one of its logs or links. Tags are texts here
  /// whatever they were when they were sent, and some are what OTLP has fields for.
  private static String tag(String key, String value) {
    return switch (key) {
      // What is no error is the complement, be it marked as good or not marked at all.
      case "error" ->
          TRUE.contains(value)
              ? "status = error"
              : FALSE.contains(value) ? "status != error" : NOTHING;
      case "span.status" ->
          "status = "
              + switch (value.toUpperCase(Locale.ROOT)) {
                case "OK" -> "ok";
                case "ERROR" -> "error";
                default -> "unset";
              };
      case "span.kind" -> {
        String kind = value.toLowerCase(Locale.ROOT);
        yield "kind = " + (KINDS.contains(kind) ? kind : "unspecified");
      }
      case "scope.name" -> "instrumentation:name = " + TraceQl.quoted(value);
      case "scope.version" -> "instrumentation:version = " + TraceQl.quoted(value);
      default ->
          key.startsWith(RESOURCE)
              ? attribute(List.of("resource"), key.substring(RESOURCE.length()), value)
              : attribute(
                  List.of("span", "instrumentation", "resource", "event", "link"), key, value);
    };
  }

  private static String attribute(List<String> scopes, String key, String value) {
    List<String> any = new ArrayList<>();
    for (String scope : scopes) {
      String name = scope + "." + TraceQl.quoted(key);
      any.add(name + " = " + TraceQl.quoted(value));
      boolean other =
          INTEGER.matcher(value).matches()
              || REAL.matcher(value).matches()
              || value.equals("true")
              || value.equals("false");
      if (other) {
        any.add(name + " = " + value);
      }
    }
    // What viewers show as tags, and so what people search for.
    switch (key) {
      case "otel.status_code" -> {
        switch (value) {
          case "ERROR" -> any.add("status = error");
          case "OK" -> any.add("status = ok");
          default -> {}
        }
      }
      case "otel.status_description" -> any.add("statusMessage = " + TraceQl.quoted(value));
      case "otel.scope.name" -> any.add("instrumentation:name = " + TraceQl.quoted(value));
      case "otel.scope.version" -> any.add("instrumentation:version = " + TraceQl.quoted(value));
      case "event" -> any.add("event:name = " + TraceQl.quoted(value));
      default -> {}
    }
    return "(" + String.join(" || ", any) + ")";
  }

  private static Map<String, String> tags(String parameter, String json) {
    Map<String, String> tags = new LinkedHashMap<>();
    try {
      JsonNode object = JSON.readTree(json);
      if (object.isNull()) {
        return tags;
      }
      if (object.isObject()
          && object.properties().stream().allMatch(tag -> tag.getValue().isTextual())) {
        object.properties().forEach(tag -> tags.put(tag.getKey(), tag.getValue().asText()));
        return tags;
      }
    } catch (JsonProcessingException _) {
      // Reported below, like JSON that is no object.
    }
    throw RequestException.badRequest(
        "malformed '" + parameter + "' parameter: " + json + ", want={\"key\":\"value\"}");
  }

  private static int limit(String name, String text) {
    int limit;
    try {
      limit = Integer.parseInt(text.strip());
    } catch (NumberFormatException _) {
      throw unreadable(name, text, "a number");
    }
    if (limit < 1 || limit > MAX_LIMIT) {
      // Jaeger has 500 for this, and clients know it.
      throw new RequestException(
          HttpStatus.INTERNAL_SERVER_ERROR,
          "search depth must be greater than 0 and at most " + MAX_LIMIT + ": " + limit);
    }
    return limit;
  }

  private static Optional<Duration> duration(Request request, String name) {
    return bound(either(request, name, name));
  }

  /// A bound; 0 is none.
  private static Optional<Duration> bound(Optional<Named> bound) {
    return bound
        .map(named ->
            GoDuration.parse(named.value().strip())
                .map(Duration::ofNanos)
                .orElseThrow(
                    () -> unreadable(named.name(), named.value(), "a duration such as 1.5s")))
        .filter(duration -> !duration.isZero());
  }

  private static Optional<Long> microseconds(Request request, String name) {
    return request
        .parameter(name)
        .map(text -> {
          try {
            return Math.multiplyExact(Long.parseLong(text.strip()), NS_PER_US);
          } catch (NumberFormatException | ArithmeticException _) {
            throw unreadable(name, text, "microseconds");
          }
        });
  }

  private static long instant(Request request, String name, String before) {
    return instant(either(request, name, before))
        .orElseThrow(() -> RequestException.badRequest(name + " is required"));
  }

  private static Optional<Long> instant(Optional<Named> time) {
    return time.map(named -> {
      try {
        Instant instant = OffsetDateTime.parse(named.value()).toInstant();
        return Math.addExact(
            Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
      } catch (DateTimeParseException | ArithmeticException _) {
        throw unreadable(named.name(), named.value(), "a time of RFC 3339");
      }
    });
  }

  /// That the parameters which a trace by id may have can be read. The whole trace is found
  /// whatever they say.
  static void checkVersion1(Request request) {
    microseconds(request, "start");
    microseconds(request, "end");
    bool(request, "raw");
  }

  /// The same of version 3.
  static void checkVersion3(Request request) {
    instant(either(request, "startTime", "start_time"));
    instant(either(request, "endTime", "end_time"));
    either(request, "rawTraces", "raw_traces").ifPresent(raw -> bool(request, raw.name()));
  }

  private static void bool(Request request, String name) {
    request
        .parameter(name)
        .filter(text -> !TRUE.contains(text) && !FALSE.contains(text))
        .ifPresent(text -> {
          throw unreadable(name, text, "true or false");
        });
  }

  /// A trace id as clients write it: hex digits, or its bytes in base64.
  static String traceId(String text) {
    boolean hex = text.length() <= 32 && text.chars().allMatch(c -> Character.digit(c, 16) >= 0);
    if (hex || text.length() > MAX_BASE64) {
      return text;
    }
    String standard = text.replace('-', '+').replace('_', '/');
    try {
      byte[] id = Base64.getDecoder().decode(standard);
      return id.length == 16 ? HexFormat.of().formatHex(id) : text;
    } catch (IllegalArgumentException _) {
      // Neither; whoever reads it as hex says so.
      return text;
    }
  }

  private static RequestException unreadable(String name, String text, String want) {
    return RequestException.badRequest(
        "unable to parse param '" + name + "': " + text + ", want=" + want);
  }
}
