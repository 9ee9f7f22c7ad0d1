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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Finds traces with a span that fulfils all conditions of a search, by writing it as TraceQL.
final class JaegerSearch {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 5_000;
  private static final Duration DEFAULT_LOOKBACK = Duration.ofDays(2);
  private static final long NS_PER_US = 1_000;
  private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,18}");
  private static final Pattern REAL = Pattern.compile("-?[0-9]+\\.[0-9]+");
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
    request.parameter("tags").ifPresent(json -> tags.putAll(tags("tags", json)));
    for (String tag : request.parameters("tag")) {
      int colon = tag.indexOf(':');
      if (colon < 1) {
        throw RequestException.badRequest(
            "malformed 'tag' parameter, expecting key:value, received: " + tag);
      }
      tags.put(tag.substring(0, colon), tag.substring(colon + 1));
    }
    tags.forEach((key, value) -> conditions.add(tag(key, value)));
    durations(conditions, duration(request, "minDuration"), duration(request, "maxDuration"));
    int limit = limit(request, "limit");
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
    request.parameter("query.service_name").ifPresent(name -> conditions.add(service(name)));
    request
        .parameter("query.operation_name")
        .ifPresent(name -> conditions.add("name = " + TraceQl.quoted(name)));
    request
        .parameter("query.attributes")
        .ifPresent(json ->
            tags("query.attributes", json)
                .forEach((key, value) -> conditions.add(tag(key, value))));
    durations(
        conditions,
        duration(request, "query.duration_min"),
        duration(request, "query.duration_max"));
    int limit =
        request.parameter("query.search_depth").isPresent()
            ? limit(request, "query.search_depth")
            : limit(request, "query.num_traces");
    return find(
        request,
        conditions,
        instant(request, "query.start_time_min"),
        instant(request, "query.start_time_max"),
        limit);
  }

  private List<String> find(
      Request request, List<String> conditions, long fromNs, long toNs, int limit) {
    if (fromNs > toNs) {
      throw RequestException.badRequest(
          "start lies after end: startNs=" + fromNs + ", endNs=" + toNs);
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

  /// A tag of a span, of its process or of one of its logs. Tags are texts here whatever they were
  /// when they were sent, and some are made of what OTLP has fields for.
  private static String tag(String key, String value) {
    List<String> any = new ArrayList<>();
    for (String scope : List.of("span", "resource", "event")) {
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
    switch (key) {
      case "error" -> {
        if (value.equals("true")) {
          any.add("status = error");
        }
      }
      case "span.kind" -> {
        switch (value) {
          case "internal", "server", "client", "producer", "consumer" -> any.add("kind = " + value);
          default -> {}
        }
      }
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
      if (object.isObject()) {
        object.properties().forEach(tag -> tags.put(tag.getKey(), tag.getValue().asText()));
        return tags;
      }
    } catch (JsonProcessingException _) {
      // Reported below, like JSON that is no object.
    }
    throw RequestException.badRequest(
        "malformed '" + parameter + "' parameter: " + json + ", want={\"key\":\"value\"}");
  }

  private static int limit(Request request, String name) {
    Optional<String> text = request.parameter(name);
    if (text.isEmpty()) {
      return DEFAULT_LIMIT;
    }
    int limit;
    try {
      limit = Integer.parseInt(text.get().strip());
    } catch (NumberFormatException _) {
      throw unreadable(name, text.get(), "a number");
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
    return request
        .parameter(name)
        .map(text ->
            GoDuration.parse(text.strip())
                .map(Duration::ofNanos)
                .orElseThrow(() -> unreadable(name, text, "a duration such as 1.5s")));
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

  private static long instant(Request request, String name) {
    String text = JaegerApi.required(request, name);
    try {
      Instant instant = OffsetDateTime.parse(text).toInstant();
      return Math.addExact(
          Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
    } catch (DateTimeParseException | ArithmeticException _) {
      throw unreadable(name, text, "a time of RFC 3339");
    }
  }

  private static RequestException unreadable(String name, String text, String want) {
    return RequestException.badRequest(
        "unable to parse param '" + name + "': " + text + ", want=" + want);
  }
}
