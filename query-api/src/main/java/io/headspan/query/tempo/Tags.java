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
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/// Names and values of fields, for the suggestions of Grafana's editor.
final class Tags {
  private static final int DEFAULT_LIMIT = 5_000;
  private static final int MAX_LIMIT = 100_000;

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

  /// Names by scope; a scope without any is left out, as in Tempo.
  private Map<String, List<String>> names(Request request) {
    String scope = request.parameter("scope").orElse("none");
    if (!scope.equals("none") && !SCOPES.contains(scope)) {
      throw RequestException.badRequest("unknown scope: scope=" + scope + ", known=" + SCOPES);
    }
    TimeRange range = request.timeRange();
    int limit = request.integer("limit", DEFAULT_LIMIT, 0, MAX_LIMIT);
    Map<String, List<String>> names = new LinkedHashMap<>();
    for (String one : SCOPES) {
      if (scope.equals("none") || scope.equals(one)) {
        List<String> found =
            one.equals(INTRINSIC)
                ? SUGGESTED_INTRINSICS
                : queries.run(
                    request,
                    TagPlanner.names(scope(one), range, limit == 0 ? MAX_LIMIT : limit),
                    row -> row.text(0));
        if (!found.isEmpty()) {
          names.put(one, found);
        }
      }
    }
    return names;
  }

  private static AttributeScope scope(String name) {
    return AttributeScope.valueOf(name.toUpperCase(Locale.ROOT));
  }

  HttpResponse valuesV2(Request request) {
    FieldExpression field = field(request);
    List<ResultValue> values = values(request, field);
    boolean keyword =
        field instanceof FieldExpression.Field(_, Intrinsic intrinsic)
            && KEYWORDS.contains(intrinsic);
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("tagValues");
      for (ResultValue value : values) {
        json.writeStartObject();
        json.writeStringField("type", keyword ? "keyword" : type(value));
        json.writeStringField("value", text(value));
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeObjectFieldStart("metrics");
      json.writeEndObject();
      json.writeEndObject();
    });
  }

  HttpResponse valuesV1(Request request) {
    List<ResultValue> values = values(request, field(request));
    return Json.response(json -> {
      json.writeStartObject();
      json.writeArrayFieldStart("tagValues");
      for (ResultValue value : values) {
        json.writeString(text(value));
      }
      json.writeEndArray();
      json.writeEndObject();
    });
  }

  /// A name without scope is an intrinsic, or else an attribute of any scope.
  private static FieldExpression field(Request request) {
    String tag = request.path("tag");
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

  private List<ResultValue> values(Request request, FieldExpression field) {
    int limit = request.integer("limit", DEFAULT_LIMIT, 0, MAX_LIMIT);
    List<FieldExpression> conditions =
        request.parameter("q").map(TraceQl::completeConditions).orElse(List.of());
    SqlQuery query =
        TagPlanner.values(field, conditions, request.timeRange(), limit == 0 ? MAX_LIMIT : limit);
    return new ArrayList<>(queries.run(request, query, TagPlanner.reader()));
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
