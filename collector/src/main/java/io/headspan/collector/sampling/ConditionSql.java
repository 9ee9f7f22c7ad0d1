package io.headspan.collector.sampling;

import io.headspan.storage.AttributeSql;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Conditions of policies as SQL over the spans of a trace: aggregates that are true if the
/// condition holds for the trace.
final class ConditionSql {
  private static final String START = "toUnixTimestamp64Nano(time)";
  private static final long NS_PER_MS = 1_000_000;

  /// As the rollup that histories come from takes them.
  private static final String INVOCATION = "kind IN (2,5) AND NOT open";

  private static final String OPERATION = "cityHash64(tenant,service,operation)";

  private ConditionSql() {}

  /// The aggregate; empty if the condition can only be told from the whole trace at hand, or needs
  /// no look at its spans.
  ///
  /// @param histories what spans are compared to
  static Optional<String> of(Policy.Condition condition, Histories histories) {
    return switch (condition) {
      case Policy.Latency latency ->
          latency.upperMillis() == 0 ? Optional.empty() : Optional.of(latency(latency));
      case Policy.StatusCode _, Policy.Ottl _ -> Optional.empty();
      case Policy.NumericAttribute numeric -> any(numeric(numeric));
      case Policy.StringAttribute string -> any(string(string));
      case Policy.BooleanAttribute bool -> any(bool(bool));
      case Policy.TraceState state -> any(traceState(state));
      case Policy.TraceFlags _ -> any("bitAnd(flags,1)=1");
      case Policy.StolenShare stolen ->
          any(
              AttributeSql.of(Policy.StolenShare.STOLEN)
                  .integer("duration>0 AND %s>=" + stolen.minShare() + "*duration"));
      case Policy.Culprit culprit ->
          any(AttributeSql.of(Policy.Culprit.CULPRIT).string("%s IN (" + literals(culprit) + ")"));
      case Policy.ColdStart _ -> any(AttributeSql.of(Policy.ColdStart.COLD_START).bool("%s"));
      case Policy.SlowerThanUsual slower -> any(slower(slower, histories.of(slower)));
      case Policy.RareOperation rare ->
          any(INVOCATION + " AND " + OPERATION + " NOT IN " + hashes(histories.of(rare), false));
      case Policy.NewVersion version -> any(newVersion(histories.of(version)));
    };
  }

  /// Whether the condition can be told from the trace's summary.
  static boolean isOfSummary(Policy.Condition condition) {
    return condition instanceof Policy.StatusCode
        || (condition instanceof Policy.Latency latency && latency.upperMillis() == 0);
  }

  private static Optional<String> any(String row) {
    return Optional.of("max(" + row + ")");
  }

  /// The time so far at each span, in the order of their starts, only grows: so it is the first
  /// that is above the lower threshold that must not be above the upper one.
  private static String latency(Policy.Latency latency) {
    String spans = "arraySort(groupArray((%1$s,span_id,toInt64(%1$s+duration))))".formatted(START);
    String late =
        "intDiv(x.3-min(%s),%d)>%d".formatted(START, NS_PER_MS, latency.thresholdMillis());
    return "arrayExists(x->%1$s AND intDiv(x.3-min(%2$s),%3$d)<=%4$d,[arrayFirst(x->%1$s,%5$s)])"
        .formatted(late, START, NS_PER_MS, latency.upperMillis(), spans);
  }

  /// An operation with as long a duration as there is none has no usual one.
  private static String slower(Policy.SlowerThanUsual slower, History history) {
    if (history.known().isEmpty()) {
      return "0";
    }
    List<History.Known> known = List.copyOf(history.known().values());
    return INVOCATION
        + " AND duration>=%d AND duration>transform(%s,%s,%s,toInt64(%d))"
            .formatted(
                slower.minMillis() * NS_PER_MS,
                OPERATION,
                numbers("reinterpretAsUInt64", known.stream().map(History.Known::hash)),
                numbers("reinterpretAsInt64", known.stream().map(History.Known::value)),
                Long.MAX_VALUE);
  }

  private static String newVersion(History old) {
    return "version!='' AND cityHash64(tenant,service) IN "
        + hashes(old, true)
        + " AND cityHash64(tenant,service,version) NOT IN "
        + hashes(old, false);
  }

  /// The hashes of all names, or of all their services, as a subquery.
  private static String hashes(History history, boolean ofServices) {
    Stream<Long> hashes =
        history.known().values().stream()
            .map(known -> ofServices ? known.serviceHash() : known.hash())
            .distinct();
    return "(SELECT arrayJoin(" + numbers("reinterpretAsUInt64", hashes) + "))";
  }

  /// An array of numbers: as one text, which is quick to read.
  private static String numbers(String type, Stream<Long> numbers) {
    StringBuilder digits = new StringBuilder();
    numbers.forEach(each -> digits.append(HexFormat.of().toHexDigits(Long.reverseBytes(each))));
    return "arrayMap(i->%1$s(substring(unhex('%2$s'),i*8+1,8)),range(%3$d))"
        .formatted(type, digits, digits.length() / (2 * Long.BYTES));
  }

  private static String literals(Policy.Culprit culprit) {
    return culprit.tenants().stream().map(AttributeSql::literal).collect(Collectors.joining(","));
  }

  private static String numeric(Policy.NumericAttribute numeric) {
    AttributeSql attribute = AttributeSql.of(numeric.key());
    String within = "%s BETWEEN " + numeric.min() + " AND " + numeric.max();
    boolean zero = numeric.min() <= 0 && numeric.max() >= 0;
    // What is no integer counts as 0.
    String span =
        attribute.integer(within)
            + (zero
                ? " OR (" + attribute.isPresent() + " AND NOT " + attribute.integer("1") + ")"
                : "");
    String value = "values[indexOf(keys," + AttributeSql.literal(numeric.key()) + ")]";
    String resource =
        "if(type=2," + within.replace("%s", "toInt64OrZero(" + value + ")") + "," + zero + ")";
    return "(" + span + " OR " + ofResource(numeric.key(), resource) + ")";
  }

  private static String string(Policy.StringAttribute string) {
    String key = AttributeSql.literal(string.key());
    String span = AttributeSql.of(string.key()).string("%s!='' AND " + matches(string, "%s"));
    String resource = matches(string, "if(type=1,values[indexOf(keys," + key + ")],'')");
    return "(" + span + " OR " + ofResource(string.key(), resource) + ")";
  }

  private static String matches(Policy.StringAttribute string, String value) {
    if (string.values().isEmpty()) {
      return "0";
    }
    if (!string.regex()) {
      return string.values().stream()
          .map(AttributeSql::literal)
          .collect(Collectors.joining(",", value + " IN (", ")"));
    }
    // Elsewhere than in ClickHouse a dot does not match the end of a line.
    return string.values().stream()
        .map(each -> "match(" + value + "," + AttributeSql.literal("(?-s:" + each + ")") + ")")
        .collect(Collectors.joining(" OR ", "(", ")"));
  }

  private static String bool(Policy.BooleanAttribute bool) {
    AttributeSql attribute = AttributeSql.of(bool.key());
    String value = "values[indexOf(keys," + AttributeSql.literal(bool.key()) + ")]";
    // What is no truth value counts as false.
    String span =
        bool.value()
            ? attribute.bool("%s")
            : "(" + attribute.isPresent() + " AND NOT " + attribute.bool("%s") + ")";
    String resource = "(type=4 AND " + value + "='true')=" + bool.value();
    return "(" + span + " OR " + ofResource(bool.key(), resource) + ")";
  }

  /// @param condition may use `type`, `keys` and `values`
  private static String ofResource(String key, String condition) {
    String literal = AttributeSql.literal(key);
    return """
    resource_fp IN (SELECT fp FROM (SELECT fp, keys, values, types[indexOf(keys,%1$s)] AS type \
    FROM resources WHERE has(keys,%1$s) AND day>=toDate({from:Int64}/1000000000)-1 \
    AND day<=toDate({to:Int64}/1000000000)+1) WHERE %2$s)\
    """
        .formatted(literal, condition);
  }

  private static String traceState(Policy.TraceState state) {
    if (state.values().isEmpty()) {
      return "0";
    }
    String values =
        state.values().stream().map(AttributeSql::literal).collect(Collectors.joining(","));
    return """
    arrayExists(e->position(e,'=')>1 AND trimBoth(substring(e,1,position(e,'=')-1))=%s \
    AND trimBoth(substring(e,position(e,'=')+1)) IN (%s),splitByChar(',',toString(trace_state)))\
    """
        .formatted(AttributeSql.literal(state.key()), values);
  }
}
