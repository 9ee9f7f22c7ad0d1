package io.headspan.query.tempo;

import com.linecorp.armeria.common.HttpResponse;
import io.headspan.query.http.Json;
import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.AttributeScope;
import io.headspan.query.traceql.FieldExpression;
import io.headspan.query.traceql.Intrinsic;
import io.headspan.query.traceql.ResultValue;
import io.headspan.query.traceql.TagPlanner;
import io.headspan.query.traceql.TimeRange;
import io.headspan.query.traceql.TraceQl;
import io.headspan.storage.SqlQuery;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/// Names and values of fields, for the suggestions of Grafana's editor.
final class Tags {
  static final int DEFAULT_LIMIT = 5_000;
  static final int MAX_LIMIT = 100_000;

  /// What stands for all scopes.
  static final String NO_SCOPE = "none";

  private static final String INTRINSIC = "intrinsic";
  private static final List<String> SCOPES =
      List.of("event", "instrumentation", INTRINSIC, "link", "resource", "span");

  /// Those about the tree's numbering are for programs and not for an editor to suggest.
  private static final List<String> SUGGESTED_INTRINSICS =
      Intrinsic.spellings().entrySet().stream()
          .filter(spelling -> spelling.getValue().isSuggested())
          .map(Map.Entry::getKey)
          .toList();

  /// Whose values are words of the language and not strings.
  private static final Set<Intrinsic> KEYWORDS = Set.of(Intrinsic.STATUS, Intrinsic.KIND);

  private final Queries queries;

  Tags(Queries queries) {
    this.queries = queries;
  }

  HttpResponse namesV2(Request request) {
    Map<String, List<String>> names = names(request);
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("scopes");
      for (Map.Entry<String, List<String>> scope : names.entrySet()) {
        json.writeStartObject();
        json.writeStringField("name", scope.getKey());
        json.writeFieldName("tags");
        json.writeArray(scope.getValue().toArray(String[]::new), 0, scope.getValue().size());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeObjectFieldStart("metrics");
      json.writeEndObject();
      json.writeEndObject();
    });
  }

  HttpResponse namesV1(Request request) {
    Set<String> all = new TreeSet<>();
    names(request).values().forEach(all::addAll);
    return Json.response(json -> {
      json.writeStartObject();
      json.writeFieldName("tagNames");
      json.writeArray(all.toArray(String[]::new), 0, all.size());
      json.writeEndObject();
    });
  }

  private Map<String, List<String>> names(Request request) {
    return names(
        request,
        request.parameter("scope").orElse(NO_SCOPE),
        request.parameter("q").orElse(""),
        request.timeRange(),
        request.integer("limit", DEFAULT_LIMIT, 0, MAX_LIMIT),
        _ -> {});
  }

  /// Names by scope; a scope without any is left out, as in Tempo.
  ///
  /// @param scope one of the scopes, or "none" for all
  /// @param halfTyped what is known already of the query; only spans that fulfil it count
  /// @param limit most names of a scope, 0 for as many as can be
  /// @param sofar gets the names of the scopes so far, as they come
  Map<String, List<String>> names(
      Request request,
      String scope,
      String halfTyped,
      TimeRange range,
      int limit,
      Consumer<Map<String, List<String>>> sofar) {
    if (!scope.equals(NO_SCOPE) && !SCOPES.contains(scope)) {
      throw RequestException.badRequest("unknown scope: scope=" + scope + ", known=" + SCOPES);
    }
    Map<String, List<String>> names = new LinkedHashMap<>();
    for (String one : SCOPES) {
      if (scope.equals(NO_SCOPE) || scope.equals(one)) {
        List<String> found =
            one.equals(INTRINSIC)
                ? SUGGESTED_INTRINSICS
                : queries.run(
                    request,
                    TagPlanner.names(
                        scope(one),
                        TraceQl.completeConditions(halfTyped),
                        range,
                        limit == 0 ? MAX_LIMIT : limit),
                    row -> row.text(0));
        if (!found.isEmpty()) {
          names.put(one, found);
          sofar.accept(names);
        }
      }
    }
    return names;
  }

  private static AttributeScope scope(String name) {
    return AttributeScope.valueOf(name.toUpperCase(Locale.ROOT));
  }

  /// A value and the name of its type.
  record TypedValue(String type, String text) {}

  HttpResponse valuesV2(Request request) {
    List<TypedValue> values = values(request);
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("tagValues");
      for (TypedValue value : values) {
        json.writeStartObject();
        json.writeStringField("type", value.type());
        json.writeStringField("value", value.text());
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeObjectFieldStart("metrics");
      json.writeEndObject();
      json.writeEndObject();
    });
  }

  HttpResponse valuesV1(Request request) {
    List<TypedValue> values = values(request);
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("tagValues");
      for (TypedValue value : values) {
        json.writeString(value.text());
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /// A name without scope is an intrinsic, or else an attribute of any scope.
  private static FieldExpression field(String tag) {
    if (Intrinsic.spellings().containsKey(tag) || tag.indexOf('.') >= 0) {
      for (String scope :
          List.of("span.", "resource.", "event.", "link.", "instrumentation.", ".")) {
        if (tag.startsWith(scope)) {
          return TraceQl.parseField(tag);
        }
      }
      if (Intrinsic.spellings().containsKey(tag)) {
        return TraceQl.parseField(tag);
      }
    }
    return TraceQl.parseField("." + tag);
  }

  private List<TypedValue> values(Request request) {
    return values(
        request,
        request.path("tag"),
        request.parameter("q").orElse(""),
        request.timeRange(),
        request.integer("limit", DEFAULT_LIMIT, 0, MAX_LIMIT));
  }

  /// Different values of a tag on spans that fulfil what a half-typed query already says.
  ///
  /// @param limit most of them, 0 for as many as can be
  List<TypedValue> values(
      Request request, String tag, String halfTyped, TimeRange range, int limit) {
    FieldExpression field = field(tag);
    boolean keyword =
        field instanceof FieldExpression.Field(_, Intrinsic intrinsic)
            && KEYWORDS.contains(intrinsic);
    SqlQuery query =
        TagPlanner.values(
            field, TraceQl.completeConditions(halfTyped), range, limit == 0 ? MAX_LIMIT : limit);
    return queries.run(request, query, TagPlanner.reader()).stream()
        .map(value -> new TypedValue(keyword ? "keyword" : type(value), text(value)))
        .toList();
  }

  private static String type(ResultValue value) {
    return switch (value) {
      case ResultValue.Int _ -> "int";
      case ResultValue.Real _ -> "float";
      case ResultValue.Bool _ -> "bool";
      case ResultValue.Duration _ -> "duration";
      case ResultValue.Text _, ResultValue.Array _, ResultValue.Nothing _ -> "string";
    };
  }

  private static String text(ResultValue value) {
    return switch (value) {
      case ResultValue.Int(long number) -> Long.toString(number);
      case ResultValue.Real(double number) -> Double.toString(number);
      case ResultValue.Bool(boolean bool) -> Boolean.toString(bool);
      case ResultValue.Duration(String duration) -> duration;
      case ResultValue.Text(String string) -> string;
      case ResultValue.Array array -> array.toString();
      case ResultValue.Nothing _ -> "nil";
    };
  }
}
