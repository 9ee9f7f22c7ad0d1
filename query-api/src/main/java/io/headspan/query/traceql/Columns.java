package io.headspan.query.traceql;

import io.headspan.query.traceql.Variant.Plurality;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Where the store keeps each field, as docs/storage.md says: the only place here that names
/// columns of attributes and intrinsics.
final class Columns {
  /// The table that holds a field; a field of another table than `spans` is reached by fingerprint
  /// or trace id.
  enum Table {
    SPAN,
    RESOURCE,
    SCOPE,
    TRACE
  }

  /// An attribute of spans with a column of its own.
  private record Promoted(ValueType type, String column, int bit) {}

  private static final Map<String, Promoted> PROMOTED =
      Map.of(
          "headspan.queue_ns", new Promoted(ValueType.INT, "queue_ns", 0),
          "headspan.cpu_ns", new Promoted(ValueType.INT, "cpu_ns", 1),
          "headspan.stolen_ns", new Promoted(ValueType.INT, "stolen_ns", 2),
          "http.request.method", new Promoted(ValueType.TEXT, "http_method", 3),
          "http.route", new Promoted(ValueType.TEXT, "http_route", 4),
          "url.path", new Promoted(ValueType.TEXT, "url_path", 5),
          "http.response.status_code", new Promoted(ValueType.INT, "http_status", 6),
          "rpc.method", new Promoted(ValueType.TEXT, "rpc_method", 7),
          "db.system.name", new Promoted(ValueType.TEXT, "db_system", 8),
          "faas.coldstart", new Promoted(ValueType.BOOL, "faas_coldstart", 9));

  /// Attributes of resources with a column on spans, '' where they are absent.
  private static final Map<String, String> RESOURCE_COLUMNS =
      Map.of(
          "service.name", "service",
          "service.version", "version",
          "headspan.tenant", "tenant",
          "headspan.team", "team",
          "headspan.runtime", "runtime");

  /// What a kept span has from the sampler's decision about its trace, as if it were an attribute:
  /// the policies that kept it.
  private static final String CULPRIT = "headspan.culprit";

  static final String SAMPLING_POLICY = "headspan.sampling.policy";

  /// The numbers of [io.headspan.wire.AttributeType] in columns of attributes as text.
  private static final int STRING = 1;

  private static final int INT = 2;
  private static final int DOUBLE = 3;
  private static final int BOOL = 4;

  private Columns() {}

  /// The column on `spans` that has a resource's attribute too.
  static Optional<String> resourceColumn(String key) {
    return Optional.ofNullable(RESOURCE_COLUMNS.get(key));
  }

  /// An attribute of the span itself.
  static List<Variant> spanAttribute(String key, Bindings bindings) {
    String k = bindings.text(key);
    List<Variant> variants = new ArrayList<>();
    Promoted promoted = PROMOTED.get(key);
    if (promoted != null) {
      variants.add(Variant.of(promoted.type(), isPromoted(promoted), promoted.column()));
    }
    variants.add(
        Variant.of(
            ValueType.TEXT,
            "has(string_keys," + k + ")",
            "string_values[indexOf(string_keys," + k + ")]"));
    variants.add(Variant.of(ValueType.INT, "mapContains(ints," + k + ")", "ints[" + k + "]"));
    variants.add(
        Variant.of(ValueType.REAL, "mapContains(doubles," + k + ")", "doubles[" + k + "]"));
    variants.add(
        Variant.of(
            ValueType.BOOL,
            "has(bool_keys," + k + ")",
            "bool_values[indexOf(bool_keys," + k + ")]"));
    variants.addAll(many(Plurality.ARRAY, "elements", k));
    return variants;
  }

  /// The policies that kept a span's trace, once [SpanSource#joinDecisions] is asked for.
  static Variant samplingPolicies() {
    return many(ValueType.TEXT, "sampling_policies");
  }

  /// The names of all attributes of a span, as an array.
  static String spanAttributeNames() {
    String promoted =
        PROMOTED.entrySet().stream()
            .map(entry -> "('" + entry.getKey() + "'," + entry.getValue().bit() + ")")
            .collect(Collectors.joining(","));
    return """
    arrayConcat(string_keys,mapKeys(ints),mapKeys(doubles),bool_keys,other.key,\
    arrayMap(p->p.1,arrayFilter(p->bitTest(promoted,p.2),[%s])))\
    """
        .formatted(promoted);
  }

  /// All attributes of a span that are one value, as an array of scoped names and tagged values.
  static String taggedSpanAttributes() {
    String promoted =
        PROMOTED.entrySet().stream()
            .map(entry ->
                "if(%s,[('span.%s',%s)],[])"
                    .formatted(
                        isPromoted(entry.getValue()),
                        entry.getKey(),
                        tag(entry.getValue().type(), entry.getValue().column())))
            .collect(Collectors.joining(","));
    return """
    arrayConcat(arrayMap((k,v)->(concat('span.',k),%s),string_keys,string_values),\
    arrayMap((k,v)->(concat('span.',k),%s),mapKeys(ints),mapValues(ints)),\
    arrayMap((k,v)->(concat('span.',k),%s),mapKeys(doubles),mapValues(doubles)),\
    arrayMap((k,v)->(concat('span.',k),%s),bool_keys,bool_values),%s)\
    """
        .formatted(
            tag(ValueType.TEXT, "v"),
            tag(ValueType.INT, "v"),
            tag(ValueType.REAL, "v"),
            tag(ValueType.BOOL, "v"),
            promoted);
  }

  /// The same on a row of `resources`.
  static String taggedResourceAttributes() {
    return "arrayMap((k,c,v)->(concat('resource.',k),%s),keys,types,values)"
        .formatted(tagByCode("c", "v"));
  }

  /// `value` as tagged text.
  static String tag(ValueType type, String value) {
    return "concat('" + type.tag() + "',toString(" + value + "))";
  }

  /// An attribute of the span as tagged text, `otherwise` if it has none that can be read.
  static String taggedSpanAttribute(String key, Bindings bindings, String otherwise) {
    String k = bindings.text(key);
    Promoted promoted = PROMOTED.get(key);
    String own =
        promoted == null
            ? ""
            : isPromoted(promoted) + "," + tag(promoted.type(), promoted.column()) + ",";
    return """
    multiIf(%9$shas(string_keys,%1$s),%2$s,mapContains(ints,%1$s),%3$s,\
    mapContains(doubles,%1$s),%4$s,has(bool_keys,%1$s),%5$s,\
    has(elements.key,%1$s),concat('%6$s',toJSONString(arrayMap(\
    a->%7$s,arrayFilter(a->a.key=%1$s,elements)))),%8$s)\
    """
        .formatted(
            k,
            tag(ValueType.TEXT, "string_values[indexOf(string_keys," + k + ")]"),
            tag(ValueType.INT, "ints[" + k + "]"),
            tag(ValueType.REAL, "doubles[" + k + "]"),
            tag(ValueType.BOOL, "bool_values[indexOf(bool_keys," + k + ")]"),
            TaggedValue.ARRAY,
            tagByCode("a.type", "a.value"),
            otherwise,
            own);
  }

  /// An attribute of the first event or link that has it, as tagged text.
  static String taggedOfFirst(String column, String key, Bindings bindings) {
    String k = bindings.text(key);
    String first = column + "[indexOf(" + column + ".key," + k + ")]";
    return "if(has(%s.key,%s),%s,%s)"
        .formatted(
            column, k, tagByCode(first + ".type", first + ".value"), TaggedValue.NOTHING_SQL);
  }

  /// An attribute on a row of `resources` or `scopes`, as tagged text.
  static String taggedAsText(String key, Bindings bindings) {
    String k = bindings.text(key);
    String index = "indexOf(keys," + k + ")";
    return "if(has(keys,%s),%s,%s)"
        .formatted(
            k, tagByCode("types[" + index + "]", "values[" + index + "]"), TaggedValue.NOTHING_SQL);
  }

  /// A value kept as text, tagged by the number of its type. What has no type here is nothing.
  private static String tagByCode(String code, String value) {
    return "if(%1$s BETWEEN 1 AND 4,concat(substring('sidb',%1$s,1),%2$s),%3$s)"
        .formatted(code, value, TaggedValue.NOTHING_SQL);
  }

  /// Whether a span has an attribute, of whatever type.
  static String hasSpanAttribute(String key, Bindings bindings) {
    String k = bindings.text(key);
    Promoted promoted = PROMOTED.get(key);
    return "("
        + (promoted == null ? "" : isPromoted(promoted) + " OR ")
        + ("has(string_keys,%1$s) OR mapContains(ints,%1$s) OR mapContains(doubles,%1$s)"
                + " OR has(bool_keys,%1$s) OR has(other.key,%1$s))")
            .formatted(k);
  }

  /// What the bloom filter of the values of long-tail strings and elements of arrays needs to skip
  /// granules for `key = value`; the comparison itself has to stand beside it. Empty for what has a
  /// column of its own. Of the one key whose values tenants see by pseudonyms, the hashes are of
  /// those.
  static Optional<String> stringIndexHint(String key, String value, Bindings bindings) {
    return PROMOTED.containsKey(key)
        ? Optional.empty()
        : Optional.of(
            "has(%s,cityHash64(%s))"
                .formatted(
                    key.equals(CULPRIT) ? "shown_hashes" : "value_hashes", bindings.text(value)));
  }

  private static String isPromoted(Promoted promoted) {
    return "bitTest(promoted," + promoted.bit() + ")";
  }

  /// An attribute of a span's events (`event_attributes`) or links (`link_attributes`).
  static List<Variant> attributesOfMany(String column, String key, Bindings bindings) {
    return many(Plurality.ANY, column, bindings.text(key));
  }

  private static List<Variant> many(Plurality plurality, String column, String k) {
    List<Variant> variants = new ArrayList<>();
    for (AsText asText : AsText.values()) {
      variants.add(
          new Variant(
              asText.type,
              plurality,
              "has(" + column + ".key," + k + ")",
              "arrayMap(a->%s,arrayFilter(a->a.key=%s AND a.type=%d,%s))"
                  .formatted(asText.convert("a.value"), k, asText.code, column),
              true));
    }
    return variants;
  }

  static String hasAttributeOfMany(String column, String key, Bindings bindings) {
    return "has(" + column + ".key," + bindings.text(key) + ")";
  }

  /// An attribute on a row of `resources` or `scopes`.
  static List<Variant> attributeAsText(String key, Bindings bindings) {
    String index = "indexOf(keys," + bindings.text(key) + ")";
    return asText("types[" + index + "]", "values[" + index + "]");
  }

  static String hasAttributeAsText(String key, Bindings bindings) {
    return "has(keys," + bindings.text(key) + ")";
  }

  /// The types of a value kept as text.
  ///
  /// @param type the expression that has the number of the type
  static List<Variant> asText(String type, String value) {
    List<Variant> variants = new ArrayList<>();
    for (AsText asText : AsText.values()) {
      variants.add(
          new Variant(
              asText.type,
              Plurality.ONE,
              "(" + type + "=" + asText.code + ")",
              asText.convert(value),
              false));
    }
    return variants;
  }

  private enum AsText {
    TEXT(ValueType.TEXT, STRING, "%s"),
    INTEGER(ValueType.INT, INT, "toInt64OrZero(%s)"),
    REAL(ValueType.REAL, DOUBLE, "toFloat64OrZero(%s)"),
    BOOLEAN(ValueType.BOOL, BOOL, "(%s='true')");

    private final ValueType type;
    private final int code;
    private final String conversion;

    AsText(ValueType type, int code, String conversion) {
      this.type = type;
      this.code = code;
      this.conversion = conversion;
    }

    String convert(String value) {
      return conversion.formatted(value);
    }
  }

  /// The table that holds an intrinsic.
  static Table table(Intrinsic intrinsic) {
    return switch (intrinsic) {
      case INSTRUMENTATION_NAME, INSTRUMENTATION_VERSION -> Table.SCOPE;
      case ROOT_NAME, ROOT_SERVICE_NAME, TRACE_DURATION -> Table.TRACE;
      case DURATION,
          NAME,
          STATUS,
          STATUS_MESSAGE,
          KIND,
          SPAN_ID,
          PARENT_ID,
          CHILD_COUNT,
          NESTED_SET_LEFT,
          NESTED_SET_RIGHT,
          NESTED_SET_PARENT,
          PARENT,
          TRACE_ID,
          EVENT_NAME,
          EVENT_TIME_SINCE_START,
          LINK_SPAN_ID,
          LINK_TRACE_ID ->
          Table.SPAN;
    };
  }

  /// Whether an intrinsic exists only on numbered spans, see [SpanTree].
  static boolean isOfTree(Intrinsic intrinsic) {
    return switch (intrinsic) {
      case CHILD_COUNT, NESTED_SET_LEFT, NESTED_SET_RIGHT, NESTED_SET_PARENT -> true;
      default -> false;
    };
  }

  /// An intrinsic on a row of its own table.
  static Variant intrinsic(Intrinsic intrinsic) {
    return switch (intrinsic) {
      case DURATION -> Variant.of(ValueType.TIME, "duration");
      case NAME -> Variant.of(ValueType.TEXT, "operation");
      case STATUS -> Variant.of(ValueType.STATUS, "status");
      case STATUS_MESSAGE -> Variant.of(ValueType.TEXT, "status_message");
      case KIND -> Variant.of(ValueType.KIND, "kind");
      case SPAN_ID -> Variant.of(ValueType.TEXT, hexId("span_id"));
      case PARENT_ID ->
          new Variant(
              ValueType.TEXT, Plurality.ONE, "(parent_span_id!=0)", hexId("parent_span_id"), false);
      case TRACE_ID -> Variant.of(ValueType.TEXT, "lower(hex(trace_id))");
      case CHILD_COUNT -> Variant.of(ValueType.INT, "toInt64(tree_children)");
      case NESTED_SET_LEFT -> Variant.of(ValueType.INT, "toInt64(tree_left)");
      case NESTED_SET_RIGHT -> Variant.of(ValueType.INT, "toInt64(tree_right)");
      case NESTED_SET_PARENT -> Variant.of(ValueType.INT, "toInt64(tree_parent)");
      case ROOT_NAME -> Variant.of(ValueType.TEXT, "root_name");
      case ROOT_SERVICE_NAME -> Variant.of(ValueType.TEXT, "root_service");
      case TRACE_DURATION -> Variant.of(ValueType.TIME, "trace_duration");
      case EVENT_NAME -> many(ValueType.TEXT, "events.name");
      case EVENT_TIME_SINCE_START ->
          many(
              ValueType.TIME,
              "arrayMap(t->toUnixTimestamp64Nano(t)-toUnixTimestamp64Nano(time),events.time)");
      case LINK_SPAN_ID -> many(ValueType.TEXT, "arrayMap(s->" + hexId("s") + ",links.span_id)");
      case LINK_TRACE_ID ->
          // Tempo writes this one without leading zeros.
          many(ValueType.TEXT, "arrayMap(t->trim(LEADING '0' FROM lower(hex(t))),links.trace_id)");
      case INSTRUMENTATION_NAME -> Variant.of(ValueType.TEXT, "name");
      case INSTRUMENTATION_VERSION -> Variant.of(ValueType.TEXT, "version");
      case PARENT -> throw new IllegalArgumentException("no column: intrinsic=parent");
    };
  }

  private static Variant many(ValueType type, String values) {
    return new Variant(type, Plurality.ANY, "notEmpty(" + values + ")", values, true);
  }

  static String hexId(String number) {
    return "lower(leftPad(hex(" + number + "),16,'0'))";
  }
}
