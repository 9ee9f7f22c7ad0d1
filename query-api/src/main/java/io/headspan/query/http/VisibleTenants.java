package io.headspan.query.http;

import com.linecorp.armeria.common.HttpStatus;
import io.headspan.query.access.Caller;
import io.headspan.query.access.Pseudonyms;
import io.headspan.storage.SqlQuery;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The tenants that a request may see, and the only way from a handler's statement to the store:
/// what a statement reads is narrowed here, whatever it says.
///
/// Rows of tables with a tenant are left out by the store itself (`additional_table_filters`).
/// Tables without one are, for tenants, derived from the tenant's own spans. In `spans` and
/// `interference_matrix` tenants find pseudonyms in place of other culprits' names, so neither
/// answers nor conditions reach a name. A table that is not known here is refused.
final class VisibleTenants {
  private static final String CULPRIT = "headspan.culprit";
  private static final String TENANT = "headspan.tenant";

  /// Tables with a tenant, by its column.
  private static final Map<String, String> TENANT_COLUMNS =
      Map.ofEntries(
          Map.entry("spans", "tenant"),
          Map.entry("recent_spans", "tenant"),
          Map.entry("kept_spans", "tenant"),
          Map.entry("resources", "tenant"),
          Map.entry("latency_minute", "tenant"),
          Map.entry("latency_slots", "tenant"),
          Map.entry("logs", "tenant"),
          Map.entry("metric_points", "tenant"),
          Map.entry("node_ledger", "tenant"),
          Map.entry("collector_ledger", "tenant"),
          Map.entry("sampling_ledger", "tenant"),
          Map.entry("interference_matrix", "victim"));

  /// Tables without a tenant, which say nothing of any row that is not visible by itself.
  private static final Set<String> HARMLESS =
      Set.of("ended_open", "tier_boundary", "hours_by_minute");

  /// Tables without a tenant as a tenant sees them; `%s` is the database.
  private static final Map<String, String> DERIVED =
      Map.of(
          "trace_summary",
          """
          SELECT toDate(time) AS day, trace_id, min(time) AS start, \
          max(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time)+greatest(duration,0),'UTC')) AS end, \
          countIf(NOT open) AS spans, countIf(status=2) AS errors, \
          max(if(parent_span_id=0,(toUInt8(1),time,toString(service),toString(operation)),\
          (toUInt8(0),toDateTime64(0,9,'UTC'),'',''))\
          ::Tuple(found UInt8,time DateTime64(9,'UTC'),service String,operation String)) AS root \
          FROM %s.spans GROUP BY day, trace_id\
          """,
          // Policies may be named after tenants, and a trace may have spans of several.
          "decisions",
          """
          SELECT batch, decided, trace_id, kept, again, CAST([],'Array(String)') AS policies, \
          threshold, toUInt64(0) AS rows FROM %1$s.decisions \
          WHERE trace_id IN (SELECT trace_id FROM %1$s.spans)\
          """,
          "scopes",
          """
          SELECT * FROM %1$s.scopes WHERE (day,fp) IN \
          (SELECT toDate(time), toUInt64(scope_fp) FROM %1$s.spans)\
          """);

  /// What follows FROM and JOIN, but for arrays that are joined and functions.
  private static final Pattern TABLE =
      Pattern.compile("(?i)(?<!ARRAY )\\b(?:FROM|JOIN)\\s+([a-z_][a-z0-9_.]*+)(?!\\s*\\()");

  private static final Pattern DEFINED = Pattern.compile("(?i)\\b([a-z_][a-z0-9_]*)\\s+AS\\s*\\(");

  /// All if empty.
  private final List<String> tenants;

  /// Of other tenants' names; none for operators.
  private final Optional<Pseudonyms> pseudonyms;

  private VisibleTenants(List<String> tenants, Optional<Pseudonyms> pseudonyms) {
    this.tenants = tenants;
    this.pseudonyms = pseudonyms;
  }

  /// @param asked the tenants that the caller wants to see; all that it may if empty
  /// @throws RequestException if it asks for others
  static VisibleTenants of(Caller caller, List<String> asked, Optional<Pseudonyms> pseudonyms) {
    boolean isTenant = caller.role() == Caller.Role.TENANT;
    if (!caller.tenants().isEmpty() && !caller.tenants().containsAll(asked)) {
      throw new RequestException(
          HttpStatus.FORBIDDEN,
          "the token is not good for all of these tenants: X-Scope-OrgID="
              + String.join("|", asked));
    }
    return new VisibleTenants(
        asked.isEmpty() ? caller.tenants() : asked,
        isTenant
            ? Optional.of(
                pseudonyms.orElseThrow(() -> new IllegalStateException("no key for pseudonyms")))
            : Optional.empty());
  }

  /// Whose rows may be seen; all if empty.
  List<String> tenants() {
    return tenants;
  }

  /// The statement as the store gets it.
  ///
  /// @param database the one that is read
  /// @param tableDatabase where the tables are: of a cluster, another one on each node. Its tables
  ///   are named too, so that rows are left out there whatever becomes of a filter on the way
  SqlQuery narrow(SqlQuery query, String database, String tableDatabase) {
    if (tenants.isEmpty()) {
      return query;
    }
    SqlQuery narrowed =
        query.setting(
            "additional_table_filters",
            (database.equals(tableDatabase) ? Stream.of("") : Stream.of("", tableDatabase + "."))
                .flatMap(prefix ->
                    TENANT_COLUMNS.entrySet().stream()
                        .map(table ->
                            "'"
                                + prefix
                                + table.getKey()
                                + "':'"
                                + condition(table.getValue())
                                + "'"))
                .sorted()
                .collect(Collectors.joining(",", "{", "}")));
    Set<String> read = tables(query.sql());
    Map<String, String> replaced = replacements(read);
    if (replaced.isEmpty()) {
      return narrowed;
    }
    String definitions =
        replaced.entrySet().stream()
            .map(table ->
                table.getKey()
                    + " AS ("
                    + table.getValue().replace("%1$s", database).replace("%s", database)
                    + ")")
            .collect(Collectors.joining(", ", "WITH ", ""));
    String sql = query.sql().strip();
    String rest = sql.regionMatches(true, 0, "WITH ", 0, 5) ? ", " + sql.substring(5) : " " + sql;
    narrowed =
        withText(definitions + rest, narrowed)
            // What is MATERIALIZED or ALIAS is a column like any other.
            .setting("asterisk_include_materialized_columns", "1")
            .setting("asterisk_include_alias_columns", "1");
    return pseudonyms.isPresent()
        ? narrowed
            .bind("outer_key", pseudonyms.get().outerKey())
            .bind("inner_key", pseudonyms.get().innerKey())
        : narrowed;
  }

  private static SqlQuery withText(String sql, SqlQuery query) {
    SqlQuery changed = SqlQuery.of(sql);
    for (Map.Entry<String, Object> value : query.parameters().entrySet()) {
      changed = changed.bind(value.getKey(), value.getValue());
    }
    for (Map.Entry<String, String> setting : query.settings().entrySet()) {
      changed = changed.setting(setting.getKey(), setting.getValue());
    }
    return changed;
  }

  private String condition(String column) {
    return tenants.stream()
        .map(VisibleTenants::literal)
        .map(text -> text.replace("'", "\\'"))
        .collect(Collectors.joining(",", column + " IN (", ")"));
  }

  private static String literal(String text) {
    return "unhex('" + HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8)) + "')";
  }

  /// The tables that a statement reads; one that nothing is known of is refused.
  private static Set<String> tables(String sql) {
    Set<String> defined = new HashSet<>();
    for (Matcher each = DEFINED.matcher(sql); each.find(); ) {
      defined.add(each.group(1));
    }
    Set<String> tables = new HashSet<>();
    for (Matcher each = TABLE.matcher(sql); each.find(); ) {
      tables.add(each.group(1));
    }
    tables.removeAll(defined);
    for (String table : tables) {
      if (!TENANT_COLUMNS.containsKey(table)
          && !DERIVED.containsKey(table)
          && !HARMLESS.contains(table)) {
        throw new IllegalStateException("table without a tenant: table=" + table);
      }
    }
    return tables;
  }

  /// What stands in for tables.
  private Map<String, String> replacements(Set<String> read) {
    Map<String, String> replaced = new LinkedHashMap<>();
    DERIVED.forEach((table, select) -> {
      if (read.contains(table)) {
        replaced.put(table, select);
      }
    });
    if (pseudonyms.isPresent() && read.contains("interference_matrix")) {
      replaced.put(
          "interference_matrix",
          "SELECT * REPLACE(" + shown("culprit") + " AS culprit) FROM %s.interference_matrix");
    }
    if (pseudonyms.isPresent() && read.contains("collector_ledger")) {
      // A sender's name may tell of others that it sends for.
      replaced.put(
          "collector_ledger",
          "SELECT * REPLACE('' AS sender, '' AS collector) FROM %s.collector_ledger");
    }
    if (pseudonyms.isPresent() && read.contains("spans")) {
      String value = "string_values[indexOf(string_keys,'" + CULPRIT + "')]";
      String values =
          "if(has(string_keys,'%1$s'),arrayMap((k,v)->if(k='%1$s',%2$s,v),string_keys,string_values),string_values)"
              .formatted(CULPRIT, shown(value));
      replaced.put(
          "spans",
          "SELECT * REPLACE("
              + values
              + " AS string_values, arrayConcat(arrayMap((k,v)->cityHash64(k,v),string_keys,"
              + values
              + "),arrayMap((k,v)->cityHash64(k,v),elements.key,elements.value))"
              + " AS string_hashes, arrayConcat(arrayMap(v->cityHash64(v),"
              + values
              + "),arrayMap(v->cityHash64(v),elements.value)) AS shown_hashes) FROM %s.spans");
    }
    return replaced;
  }

  /// A culprit's name as a tenant sees it.
  private String shown(String name) {
    String own = tenants.stream().map(VisibleTenants::literal).collect(Collectors.joining(","));
    String text = "toString(" + name + ")";
    return "if("
        + text
        + " IN ("
        + own
        + "),"
        + text
        + ","
        + pseudonyms.orElseThrow().sql(text)
        + ")";
  }

  /// A trace as the request may see it.
  TracesData narrow(TracesData trace) {
    if (tenants.isEmpty()) {
      return trace;
    }
    TracesData.Builder narrowed = TracesData.newBuilder();
    for (ResourceSpans resource : trace.getResourceSpansList()) {
      if (tenants.contains(tenantOf(resource))) {
        narrowed.addResourceSpans(pseudonyms.isPresent() ? renamed(resource) : resource);
      }
    }
    return narrowed.build();
  }

  private static String tenantOf(ResourceSpans resource) {
    return resource.getResource().getAttributesList().stream()
        .filter(attribute -> attribute.getKey().equals(TENANT))
        .map(attribute -> attribute.getValue().getStringValue())
        .findFirst()
        .orElse("");
  }

  private ResourceSpans renamed(ResourceSpans resource) {
    ResourceSpans.Builder renamed = resource.toBuilder();
    for (ScopeSpans.Builder scope : renamed.getScopeSpansBuilderList()) {
      for (Span.Builder span : scope.getSpansBuilderList()) {
        List<KeyValue> attributes = new ArrayList<>(span.getAttributesList());
        attributes.replaceAll(this::renamed);
        span.clearAttributes().addAllAttributes(attributes);
      }
    }
    return renamed.build();
  }

  private KeyValue renamed(KeyValue attribute) {
    String name = attribute.getValue().getStringValue();
    return attribute.getKey().equals(CULPRIT) && !tenants.contains(name)
        ? attribute.toBuilder()
            .setValue(AnyValue.newBuilder().setStringValue(pseudonyms.orElseThrow().of(name)))
            .build()
        : attribute;
  }
}
