package io.headspan.systemtests;

import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What the running agent's `/metrics` say now of one tenant's spans.
///
/// @param dropped by reason
/// @param pending exchanges whose tenant is not settled, of all tenants
record AgentBooks(
    long captured,
    long recovered,
    long acknowledged,
    long inMemory,
    long spooled,
    Map<String, Long> dropped,
    long imbalance,
    long pending) {

  static AgentBooks of(HeadspanNode node, String tenant) {
    String metrics = node.agentMetrics();
    return new AgentBooks(
        value(metrics, "captured_spans_total", tenant),
        value(metrics, "recovered_spans_total", tenant),
        value(metrics, "acknowledged_spans_total", tenant),
        value(metrics, "in_memory_spans", tenant),
        value(metrics, "spooled_spans", tenant),
        dropped(metrics, tenant),
        value(metrics, "imbalance_spans", tenant),
        number(metrics, "headspan_ledger_pending (\\S+)"));
  }

  /// Whether everything captured is in the store or counted as lost.
  boolean isQuiet() {
    return inMemory == 0 && spooled == 0 && pending == 0;
  }

  /// Spans that the store has not got.
  long lost() {
    return dropped.values().stream().mapToLong(Long::longValue).sum();
  }

  private static long value(String metrics, String name, String tenant) {
    return number(
        metrics, "headspan_ledger_" + name + "\\{tenant=\"" + Pattern.quote(tenant) + "\"} (\\S+)");
  }

  /// 0 if there is no such line: series begin with the first thing to say.
  private static long number(String metrics, String line) {
    Matcher found = Pattern.compile("(?m)^" + line + "$").matcher(metrics);
    return found.find() ? (long) Double.parseDouble(found.group(1)) : 0;
  }

  private static Map<String, Long> dropped(String metrics, String tenant) {
    Map<String, Long> dropped = new TreeMap<>();
    Matcher found =
        Pattern.compile(
                "(?m)^headspan_ledger_dropped_spans_total\\{reason=\"(\\w+)\",tenant=\""
                    + Pattern.quote(tenant)
                    + "\"} (\\S+)$")
            .matcher(metrics);
    while (found.find()) {
      long spans = (long) Double.parseDouble(found.group(2));
      if (spans != 0) {
        dropped.put(found.group(1), spans);
      }
    }
    return dropped;
  }
}
