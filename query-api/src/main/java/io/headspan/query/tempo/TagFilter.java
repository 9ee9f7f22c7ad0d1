package io.headspan.query.tempo;

import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.TraceQl;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The older way to search, as TraceQL: `tags` in logfmt, `minDuration`, `maxDuration`.
final class TagFilter {
  private static final Pattern PAIR =
      Pattern.compile("\\s*([^\\s=\"]+)=(\"(?:\\\\.|[^\"\\\\])*\"|[^\\s\"]*)(?=\\s|$)");
  private static final Pattern INTEGER = Pattern.compile("-?[0-9]{1,18}");
  private static final Pattern REAL = Pattern.compile("-?[0-9]+\\.[0-9]+");

  private TagFilter() {}

  /// Every pair must hold; a value that reads as a number or boolean may be one.
  static String toTraceQl(String tags) {
    List<String> conditions = new ArrayList<>();
    Matcher pair = PAIR.matcher(tags);
    int end = 0;
    while (pair.find() && pair.start() == end) {
      conditions.add(condition(pair.group(1), value(pair.group(2))));
      end = pair.end();
    }
    if (!tags.substring(end).isBlank()) {
      throw RequestException.badRequest(
          "tags are not in logfmt: at="
              + tags.substring(end).strip()
              + ", want=key=value key=\"v w\"");
    }
    return "{ " + String.join(" && ", conditions) + " }";
  }

  /// The same of pairs that were taken apart already.
  static String toTraceQl(Map<String, String> tags) {
    return tags.entrySet().stream()
        .map(tag -> condition(tag.getKey(), tag.getValue()))
        .collect(Collectors.joining(" && ", "{ ", " }"));
  }

  /// What narrows spansets to traces of a duration.
  static String durationStages(Optional<Duration> min, Optional<Duration> max) {
    return min.map(duration -> " | { traceDuration >= " + duration.toNanos() + "ns }").orElse("")
        + max.map(duration -> " | { traceDuration <= " + duration.toNanos() + "ns }").orElse("");
  }

  private static String condition(String key, String value) {
    String text = TraceQl.quoted(value);
    return switch (key) {
      case "name" -> "name = " + text;
      case "root.name" -> "rootName = " + text;
      case "root.service.name" -> "rootServiceName = " + text;
      case "error" ->
          switch (value) {
            case "true" -> "(status = error || .error = true)";
            case "false" -> "!(status = error || .error = true)";
            default -> attribute(key, value);
          };
      case "status.code" ->
          switch (value) {
            case "ok", "error", "unset" -> "status = " + value;
            default ->
                throw RequestException.badRequest(
                    "unknown status.code: value=" + value + ", want=ok, error or unset");
          };
      default -> attribute(key, value);
    };
  }

  private static String attribute(String key, String value) {
    String name = "." + TraceQl.quoted(key);
    StringBuilder any = new StringBuilder("(" + name + " = " + TraceQl.quoted(value));
    boolean mayBeOther =
        INTEGER.matcher(value).matches()
            || REAL.matcher(value).matches()
            || value.equals("true")
            || value.equals("false");
    if (mayBeOther) {
      any.append(" || ").append(name).append(" = ").append(value);
    }
    return any.append(')').toString();
  }

  private static String value(String text) {
    return text.startsWith("\"")
        ? text.substring(1, text.length() - 1).replaceAll("\\\\(.)", "$1")
        : text;
  }
}
