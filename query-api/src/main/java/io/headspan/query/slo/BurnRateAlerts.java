package io.headspan.query.slo;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.common.FlowStyle;

/// Alerts for objectives, as a file that Grafana provisions. Each alert compares the share of bad
/// invocations with the objective's budget in a long and in a short range: the long one says that
/// it matters, the short one that it still goes on (multi-window, multi-burn-rate alerts as in
/// Google's SRE Workbook, chapter 5).
public final class BurnRateAlerts {
  private static final String DATA_SOURCE = "headspan";
  private static final String EXPRESSION = "__expr__";
  private static final int HOURS_PER_DAY = 24;
  private static final int RATE_DIGITS = 6;

  /// How fast a budget may burn: which share of it may be gone after the long range.
  enum Speed {
    FAST("page", 0.02, Duration.ofHours(1), Duration.ofMinutes(5)),
    MEDIUM("page", 0.05, Duration.ofHours(6), Duration.ofMinutes(30)),
    SLOW("ticket", 0.10, Duration.ofHours(24), Duration.ofHours(2)),
    CREEPING("ticket", 0.10, Duration.ofHours(72), Duration.ofHours(6));

    final String severity;
    final double budgetShare;
    final Duration longRange;
    final Duration shortRange;

    Speed(String severity, double budgetShare, Duration longRange, Duration shortRange) {
      this.severity = severity;
      this.budgetShare = budgetShare;
      this.longRange = longRange;
      this.shortRange = shortRange;
    }

    /// How many times faster than the budget allows.
    double burnRate(int windowDays) {
      return budgetShare * windowDays * HOURS_PER_DAY / longRange.toHours();
    }
  }

  private BurnRateAlerts() {}

  /// The file's text.
  public static String yaml(Objectives objectives) {
    Map<String, List<Object>> rules = new LinkedHashMap<>();
    for (Objective objective : objectives.list()) {
      List<Object> group = rules.computeIfAbsent(objective.name(), _ -> new ArrayList<>());
      for (Speed speed : Speed.values()) {
        group.add(rule(objective, speed, objectives.windowDays()));
      }
    }
    List<Object> groups = new ArrayList<>();
    rules.forEach((name, of) ->
        groups.add(
            map(
                "orgId",
                1,
                "name",
                "SLO " + name,
                "folder",
                "Headspan",
                "interval",
                "1m",
                "rules",
                of)));
    String text =
        new Dump(DumpSettings.builder().setDefaultFlowStyle(FlowStyle.BLOCK).setWidth(1000).build())
            .dumpToString(map("apiVersion", 1, "groups", groups));
    return "# Written by `headspan slo`; write it again after a change of the objectives.\n" + text;
  }

  private static Map<String, Object> rule(Objective objective, Speed speed, int windowDays) {
    String limit = limit(objective, speed, windowDays);
    String title =
        "%s: %s budget burns %s times too fast"
            .formatted(
                objective.name(), objective.kind().label, number(speed.burnRate(windowDays)));
    return map(
        "uid",
        uid(objective, speed),
        "title",
        title,
        "condition",
        "E",
        "data",
        List.of(
            query("A", objective, speed.longRange),
            query("B", objective, speed.shortRange),
            last("C", "A"),
            last("D", "B"),
            math("E", "$C > " + limit + " && $D > " + limit)),
        "for",
        "0s",
        // Without a bad invocation there is no share.
        "noDataState",
        "OK",
        "execErrState",
        "Error",
        "annotations",
        map(
            "summary",
            title,
            "description",
            "%s of the invocations of %s may be bad (%s); more than %s of those of the last %s were."
                .formatted(
                    percent(objective.budget()),
                    objective.function(),
                    badness(objective),
                    percent(Double.parseDouble(limit)),
                    words(speed.longRange))),
        "labels",
        map(
            "severity", speed.severity,
            "slo", objective.name(),
            "objective", objective.kind().label,
            "function", objective.function(),
            "tenant", objective.tenant()));
  }

  /// The share of bad invocations from which on the budget burns at this speed.
  static String limit(Objective objective, Speed speed, int windowDays) {
    return number(Math.min(1, objective.budget() * speed.burnRate(windowDays)));
  }

  private static Map<String, Object> query(String refId, Objective objective, Duration range) {
    return map(
        "refId",
        refId,
        "relativeTimeRange",
        map("from", range.toSeconds(), "to", 0),
        "datasourceUid",
        DATA_SOURCE,
        "model",
        map(
            "refId",
            refId,
            "queryType",
            "traceql",
            "metricsQueryType",
            "instant",
            "query",
            objective.badShare()));
  }

  private static Map<String, Object> last(String refId, String of) {
    return expression(
        refId, map("refId", refId, "type", "reduce", "expression", of, "reducer", "last"));
  }

  private static Map<String, Object> math(String refId, String text) {
    return expression(refId, map("refId", refId, "type", "math", "expression", text));
  }

  private static Map<String, Object> expression(String refId, Map<String, Object> model) {
    return map(
        "refId", refId,
        "relativeTimeRange", map("from", 0, "to", 0),
        "datasourceUid", EXPRESSION,
        "model", model);
  }

  /// The same for the same objective whenever it is written, so that Grafana keeps the alert's
  /// state.
  private static String uid(Objective objective, Speed speed) {
    String name = String.join("\n", objective.name(), objective.kind().label, speed.name());
    return "slo-"
        + UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString().replace("-", "");
  }

  private static String badness(Objective objective) {
    return switch (objective.kind()) {
      case LATENCY -> "longer than " + objective.withinNs() / 1_000_000 + " ms";
      case ERRORS -> "failed";
    };
  }

  private static String words(Duration range) {
    return range.toHours() > 0 ? range.toHours() + " h" : range.toMinutes() + " min";
  }

  private static String percent(double share) {
    return number(share * 100) + " %";
  }

  private static String number(double value) {
    return BigDecimal.valueOf(value)
        .setScale(RATE_DIGITS, RoundingMode.HALF_UP)
        .stripTrailingZeros()
        .toPlainString();
  }

  private static Map<String, Object> map(Object... keysAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put(keysAndValues[i].toString(), keysAndValues[i + 1]);
    }
    return map;
  }
}
