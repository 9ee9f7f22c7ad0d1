package io.headspan.query.traceql;

import java.util.List;
import java.util.Random;

/// Filters of the recorded spans, at random but of right types.
final class RandomFilters {
  private static final List<String> TEXTS =
      List.of(
          "name",
          "statusMessage",
          "rootName",
          "rootServiceName",
          "resource.service.name",
          "resource.service.version",
          ".service.name",
          ".cloud.region",
          "span.cloud.region",
          "resource.cloud.region",
          "span.http.request.method",
          "span.http.route",
          "span.url.path",
          ".db.system.name",
          "span.mixed",
          "span.headspan.culprit",
          "instrumentation:name",
          "instrumentation.lang",
          "span.\"name with space\"",
          "span.nosuch");
  private static final List<String> PLURAL_TEXTS =
      List.of("event:name", "event.exception.type", "link.link.type", "span.tags");
  private static final List<String> NUMBERS =
      List.of(
          "duration",
          "traceDuration",
          "span.http.response.status_code",
          ".http.response.status_code",
          "span.load",
          "span.mixed",
          "span.headspan.stolen_ns",
          "span.db.response.returned_rows",
          "resource.host.cpus",
          ".host.cpus",
          "span.nosuch");
  private static final List<String> PLURAL_NUMBERS =
      List.of("event.attempt", "event:timeSinceStart", "span.sizes");
  private static final List<String> BOOLEANS =
      List.of("span.faas.coldstart", "resource.spot", ".spot", "span.nosuch");
  private static final List<String> ALL_ATTRIBUTES =
      List.of(
          "span.mixed",
          "span.tags",
          "span.load",
          "resource.spot",
          "event.attempt",
          "link.link.type",
          "instrumentation.lang",
          "span.http.route",
          "resource.service.version");

  private static final List<String> OF_PARENT =
      List.of(
          "parent.span.load",
          "parent.span.http.response.status_code",
          "parent.http.response.status_code",
          "parent.span.mixed",
          "parent.span.headspan.stolen_ns",
          "parent.resource.host.cpus",
          "parent.span.nosuch");
  private static final List<String> TEXTS_OF_PARENT =
      List.of(
          "parent.resource.service.name",
          "parent.service.name",
          "parent.cloud.region",
          "parent.resource.cloud.region",
          "parent.span.http.request.method",
          "parent.span.http.route",
          "parent.span.mixed",
          "parent.span.tags",
          "parent.event.exception.type",
          "parent.instrumentation.lang");
  private static final List<String> OF_TREE =
      List.of("nestedSetLeft", "nestedSetRight", "nestedSetParent", "span:childCount");

  private final Random random;

  RandomFilters(long seed) {
    random = new Random(seed);
  }

  String next() {
    return "{ " + condition(3) + " }";
  }

  private String condition(int depth) {
    if (depth > 0 && random.nextInt(3) > 0) {
      String left = condition(depth - 1);
      String right = condition(depth - 1);
      return switch (random.nextInt(4)) {
        case 0 -> "!(" + left + ")";
        case 1 -> "(" + left + " || " + right + ")";
        default -> "(" + left + " && " + right + ")";
      };
    }
    return switch (random.nextInt(18)) {
      case 0, 1, 2 -> text(one(TEXTS));
      case 3 -> text(one(PLURAL_TEXTS));
      case 4, 5, 6 -> sum(one(NUMBERS)) + comparison() + number();
      case 7 -> one(PLURAL_NUMBERS) + comparison() + number();
      case 8 ->
          random.nextBoolean() ? one(BOOLEANS) : one(BOOLEANS) + " != " + random.nextBoolean();
      case 9 -> one(List.of("status = ", "status != ")) + one(List.of("ok", "error", "unset"));
      case 10 ->
          one(List.of("kind = ", "kind != "))
              + one(List.of("server", "client", "consumer", "internal"));
      case 11 -> plural() + comparison() + number();
      // One of events and one of spans, or the same one on both sides.
      case 12 -> plural() + comparison() + one(random.nextBoolean() ? NUMBERS : PLURAL_NUMBERS);
      case 13 -> text(one(TEXTS_OF_PARENT));
      case 14 -> ofParent();
      case 15 -> sum(one(OF_TREE)) + comparison() + (random.nextInt(12) - 1);
      case 16 -> one(OF_TREE) + comparison() + one(random.nextBoolean() ? OF_TREE : NUMBERS);
      default -> one(ALL_ATTRIBUTES) + one(List.of(" = nil", " != nil"));
    };
  }

  private String comparison() {
    return one(List.of(" = ", " != ", " < ", " <= ", " > ", " >= "));
  }

  /// Arithmetic on what events have several of.
  private String plural() {
    String field = one(PLURAL_NUMBERS);
    String operator = one(List.of(" + ", " - ", " * ", " / ", " % "));
    return switch (random.nextInt(4)) {
      case 0 -> "-" + field;
      case 1 -> "(" + one(List.of("7", "2.5", "span.load", "duration")) + operator + field + ")";
      default -> "(" + field + operator + one(List.of("2", "0.5", "span.load", "0")) + ")";
    };
  }

  private String ofParent() {
    return switch (random.nextInt(6)) {
      case 0 ->
          one(random.nextBoolean() ? OF_PARENT : TEXTS_OF_PARENT)
              + one(List.of(" = nil", " != nil"));
      case 1 -> one(List.of("parent.span.faas.coldstart", "parent.spot", "parent.resource.spot"));
      case 2 -> one(List.of("parent = nil", "parent != nil"));
      // The span's own value beside the parent's.
      case 3 -> sum(one(OF_PARENT)) + comparison() + one(NUMBERS);
      case 4 -> one(TEXTS_OF_PARENT) + one(List.of(" = ", " != ", " < ")) + one(TEXTS);
      default -> sum(one(OF_PARENT)) + comparison() + number();
    };
  }

  private String text(String field) {
    return switch (random.nextInt(3)) {
      case 0 ->
          field
              + one(List.of(" =~ ", " !~ "))
              + one(List.of("`.*`", "`[a-c].*`", "`GET|SET`", "`.*(t|/)`", "``", "`/p/[1-5]+`"));
      case 1 -> field + one(List.of(" < ", " >= ")) + one(List.of("`cart`", "`b`", "`/p/3`"));
      default ->
          field
              + one(List.of(" = ", " != "))
              + one(
                  List.of(
                      "`cart`",
                      "`GET /`",
                      "`a`",
                      "``",
                      "`eu-west-1`",
                      "`exception`",
                      "`redis`",
                      "`x`",
                      "`IOException`",
                      "`1`"));
    };
  }

  private String sum(String field) {
    return random.nextInt(3) == 0
        ? field + " " + one(List.of("+", "-", "*", "/", "%")) + " " + one(List.of("2", "3", "0.5"))
        : field;
  }

  private String number() {
    return one(
        List.of(
            "0", "1", "2", "3", "5.5", "200", "404", "499.5", "1ms", "20ms", "100ms", "1s", "-1"));
  }

  private String one(List<String> of) {
    return of.get(random.nextInt(of.size()));
  }
}
