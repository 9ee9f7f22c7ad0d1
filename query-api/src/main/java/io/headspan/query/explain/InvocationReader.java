package io.headspan.query.explain;

import io.headspan.query.http.Queries;
import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.storage.Row;
import io.headspan.storage.SqlQuery;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// Reads invocations, their accounts and their calls from the store.
///
/// Counts, means and percentiles are of all invocations, each span counted for as many as it stands
/// for; what was kept by hand stands for none. Accounts are of a sample, chosen by a hash of the
/// span id, so that the same question has the same answer.
final class InvocationReader {
  /// The most invocations of a sample.
  private static final int SAMPLE = 2000;

  private static final int CALLS_PER_TRACE = 90;
  private static final int CULPRITS = 3;
  private static final int OPERATIONS = 200;
  private static final int MIN_FOR_MEAN = 30;

  /// From here on the interval of the 99th percentile ends below the slowest invocation.
  static final int MIN_FOR_P99 = 400;

  /// What a count is made whole by, where only whole numbers are taken as weights.
  private static final int PARTS = 1000;

  private static final double P99 = 0.99;
  private static final double Z95 = 1.96;

  /// Agents and the functions' own SDKs tell of the same invocations. Where an agent tells of this
  /// many, its spans are taken: they have accounts.
  private static final int ENOUGH_CAPTURED = 30;

  private static final String TIME =
      "time>=fromUnixTimestamp64Nano({from:Int64},'UTC') "
          + "AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')";

  /// Calls begin after their invocation, which may have begun at the range's end.
  private static final String TIME_OF_CALLS =
      "time>=fromUnixTimestamp64Nano({from:Int64},'UTC') "
          + "AND time<=fromUnixTimestamp64Nano({to:Int64},'UTC')+INTERVAL 10 MINUTE";

  private static final String CULPRIT = "string_values[indexOf(string_keys,'headspan.culprit')]";

  private static final String CULPRIT_NS =
      "if(mapContains(ints,'headspan.culprit_ns'),ints['headspan.culprit_ns'],-1)";

  /// What the culprit took of it; all that was stolen where the agent did not say.
  private static final String TAKEN =
      "least(stolen_ns,if(mapContains(ints,'headspan.culprit_ns'),ints['headspan.culprit_ns'],stolen_ns))";

  /// An invocation's account.
  private static final String ACCOUNT =
      "version, bitTest(promoted,1) AS measured, queue_ns, cpu_ns, stolen_ns, "
          + CULPRIT
          + " AS culprit, "
          + CULPRIT_NS
          + " AS culprit_ns, ints['headspan.throttled_ns'] AS throttled_ns, "
          + "if(mapContains(ints,'headspan.blocked_ns'),ints['headspan.blocked_ns'],-1) AS blocked_ns, "
          + "faas_coldstart";

  private static final String ACCOUNT_NAMES =
      "version, measured, queue_ns, cpu_ns, stolen_ns, culprit, culprit_ns, throttled_ns, blocked_ns, "
          + "faas_coldstart";

  private static final int CLIENT = 3;
  private static final int PRODUCER = 4;

  private final Queries queries;
  private final Request request;
  private final Map<Scope, List<Side>> known = new HashMap<>();

  InvocationReader(Queries queries, Request request) {
    this.queries = queries;
    this.request = request;
  }

  /// One side's invocations of one tenant.
  record Side(String tenant, boolean ofSdk, Summary summary) {}

  /// Where to look for a function's invocations.
  ///
  /// @param ofSdk whether the spans are the SDK's own and not the agent's
  record Source(Scope scope, boolean ofSdk) {}

  /// Which tenant, and whose spans.
  ///
  /// @throws RequestException if several tenants have a function of this name
  Source source(Scope scope) {
    List<Side> sides = sides(scope);
    List<String> tenants =
        sides.stream()
            .map(Side::tenant)
            .filter(tenant -> !tenant.isEmpty())
            .distinct()
            .sorted()
            .toList();
    if (tenants.size() > 1) {
      throw RequestException.badRequest(
          "several tenants have such a function: service="
              + scope.service()
              + ", tenants="
              + String.join(",", tenants)
              + "; say which with tenant=");
    }
    Scope narrowed = tenants.isEmpty() ? scope : scope.ofTenant(tenants.getFirst());
    long captured = count(sides, false);
    return new Source(narrowed, captured < ENOUGH_CAPTURED && captured < count(sides, true));
  }

  private static long count(List<Side> sides, boolean ofSdk) {
    return sides.stream()
        .filter(side -> side.ofSdk() == ofSdk)
        .mapToLong(side -> side.summary().invocations())
        .sum();
  }

  private List<Side> sides(Scope scope) {
    List<Side> sides = known.get(scope);
    if (sides == null) {
      sides = readSides(scope, false);
      if (sides.stream().anyMatch(side -> side.summary().isWeighted())) {
        sides = readSides(scope, true);
      }
      known.put(scope, sides);
    }
    return sides;
  }

  private List<Side> readSides(Scope scope, boolean weighted) {
    String sql =
        """
        SELECT tenant, runtime='' AS of_sdk, %s, %s, %s, %s, %s, %s, count(), pow(sum(adjusted_count),2)/sum(pow(adjusted_count,2)), max(adjusted_count)!=1 \
        FROM spans WHERE %s GROUP BY tenant, of_sdk\
        """
            .formatted(
                count("1"),
                count("status=2"),
                count("faas_coldstart"),
                count("bitTest(promoted,1)"),
                mean("duration"),
                quantiles(Summary.LEVELS, "duration", weighted),
                invocations(scope));
    return queries.run(
        request,
        bound(SqlQuery.of(sql), scope),
        row ->
            new Side(
                row.text(0),
                row.flag(1),
                new Summary(
                    row.integer(2),
                    row.integer(3),
                    row.integer(4),
                    row.integer(5),
                    row.number(6),
                    row.numbers(7),
                    List.of(),
                    row.integer(8),
                    row.number(9),
                    row.flag(10))));
  }

  private boolean isWeighted(Source source) {
    return sides(source.scope()).stream().anyMatch(side -> side.summary().isWeighted());
  }

  /// How many invocations there were for which `condition` holds.
  private static String count(String condition) {
    return "toInt64(round(sumIf(adjusted_count," + condition + ")))";
  }

  private static String mean(String value) {
    return "avgWeighted(" + value + ",adjusted_count)";
  }

  /// Exact either way; without weights they are found faster.
  private static String quantiles(String levels, String value, boolean weighted) {
    return weighted
        ? "quantilesExactWeighted(%s)(%s,toUInt64(round(adjusted_count*%d)))"
            .formatted(levels, value, PARTS)
        : "quantilesExact(%s)(%s)".formatted(levels, value);
  }

  Summary summary(Source source) {
    List<Summary.VersionCount> versions =
        queries.run(
            request,
            bound(
                SqlQuery.of(
                    "SELECT version, %s AS n FROM spans WHERE %s GROUP BY version ORDER BY n DESC LIMIT 20"
                        .formatted(count("1"), invocations(source))),
                source.scope()),
            row -> new Summary.VersionCount(row.text(0), row.integer(1)));
    return summary(source, versions);
  }

  private Summary summary(Source source, List<Summary.VersionCount> versions) {
    return sides(source.scope()).stream()
        .filter(side -> side.ofSdk() == source.ofSdk())
        .map(Side::summary)
        .findFirst()
        .orElse(Summary.NONE)
        .withVersions(versions);
  }

  /// All invocations as if they were of one operation; empty if there are none.
  Optional<OperationSummary> total(Source source) {
    return operations(source, "''").values().stream().findFirst();
  }

  /// The most frequent operations, by name.
  Map<String, OperationSummary> operations(Source source) {
    return operations(source, "operation");
  }

  private Map<String, OperationSummary> operations(Source source, String by) {
    String sql =
        """
        SELECT %s AS by, %s AS n, %s, %s, %s, %s, %s, %s, %s, %s, %s \
        FROM spans WHERE %s GROUP BY by ORDER BY n DESC, by LIMIT %d\
        """
            .formatted(
                by,
                count("1"),
                count("status=2"),
                count("faas_coldstart"),
                mean("duration"),
                quantiles("0.5,0.95,0.99", "duration", isWeighted(source)),
                mean("cpu_ns"),
                mean("queue_ns"),
                mean("stolen_ns"),
                mean("ints['headspan.throttled_ns']"),
                mean("ints['headspan.blocked_ns']"),
                invocations(source),
                OPERATIONS);
    return queries
        .run(
            request,
            bound(SqlQuery.of(sql), source.scope()),
            row ->
                new OperationSummary(
                    row.text(0),
                    row.integer(1),
                    row.integer(2),
                    row.integer(3),
                    row.number(4),
                    row.numbers(5),
                    row.number(6),
                    row.number(7),
                    row.number(8),
                    row.number(9),
                    row.number(10)))
        .stream()
        .collect(Collectors.toMap(OperationSummary::operation, each -> each));
  }

  /// Some of all invocations.
  DeepSample sample(Source source, Summary summary) {
    return read(source, "true", summary.spans(), Map.of());
  }

  /// Some of those around the 99th percentile.
  DeepSample band(Source source, Summary summary) {
    return read(
        source,
        "duration>={band_from:Int64} AND duration<={band_to:Int64}",
        summary.invocations() / 100,
        Map.of("band_from", summary.bandFromNs(), "band_to", summary.bandToNs()));
  }

  private DeepSample read(
      Source source, String condition, long expected, Map<String, Long> values) {
    String chosen =
        invocations(source) + " AND " + condition + " AND cityHash64(span_id)<={hash:UInt64}";
    SqlQuery query =
        SqlQuery.of(
            """
            SELECT lower(hex(trace_id)), span_id, toUnixTimestamp64Nano(time), duration, \
            %s, adjusted_count FROM spans WHERE %s LIMIT %d\
            """
                .formatted(ACCOUNT, chosen, 2 * SAMPLE));
    Map<String, TraceCalls> calls = calls(source, chosen, expected, values);
    return DeepSample.of(
        queries.run(
            request,
            sampled(query, source.scope(), expected, values),
            row -> {
              String traceId = row.text(0);
              return calls
                  .getOrDefault(traceId, TraceCalls.NONE)
                  .invocation(served(traceId, row, 1), row.number(14));
            }));
  }

  /// The calls of the traces of a sample, by trace id.
  ///
  /// @param chosen which invocations belong to the sample
  private Map<String, TraceCalls> calls(
      Source source, String chosen, long expected, Map<String, Long> values) {
    String traces = "SELECT trace_id FROM spans WHERE " + chosen + " LIMIT " + 2 * SAMPLE;
    String sql =
        """
        SELECT lower(hex(trace_id)), span_id, parent_span_id, kind, toUnixTimestamp64Nano(time), \
        duration, operation, status=2, error, peer, port, callee, \
        callee_id, callee_start, callee_duration, %5$s \
        FROM (SELECT trace_id, span_id, parent_span_id, kind, time, duration, operation, status, \
        string_values[indexOf(string_keys,'error.type')] AS error, \
        if(db_system!='',toString(db_system),string_values[indexOf(string_keys,'server.address')]) AS peer, \
        ints['server.port'] AS port \
        FROM spans WHERE %1$s AND kind NOT IN (2,5) AND NOT open \
        AND (service!={service:String} OR %2$s) AND trace_id IN (%3$s) \
        ORDER BY service={service:String} DESC, duration DESC LIMIT %4$d BY trace_id) AS calls \
        LEFT ANY JOIN (SELECT trace_id AS callee_trace, parent_span_id AS caller, \
        toString(service) AS callee, span_id AS callee_id, \
        toUnixTimestamp64Nano(time) AS callee_start, duration AS callee_duration, %6$s \
        FROM spans WHERE %1$s AND kind IN (2,5) AND parent_span_id!=0 \
        AND NOT open AND trace_id IN (%3$s) \
        ORDER BY measured DESC, duration DESC LIMIT 1 BY trace_id, parent_span_id) AS served \
        ON calls.trace_id=served.callee_trace AND calls.span_id=served.caller\
        """
            .formatted(
                TIME_OF_CALLS, side(source), traces, CALLS_PER_TRACE, ACCOUNT_NAMES, ACCOUNT);
    return queries
        .run(
            request,
            sampled(SqlQuery.of(sql), source.scope(), expected, values),
            row -> {
              String traceId = row.text(0);
              int kind = (int) row.integer(3);
              long startNs = row.integer(4);
              Call call =
                  new Call(
                      callee(row.text(11), row.text(9), row.integer(10)),
                      row.text(6),
                      startNs,
                      startNs + Math.max(0, row.integer(5)),
                      row.flag(7),
                      row.text(8),
                      null);
              // Whoever sends a message does not wait for what becomes of it.
              boolean isAnswered = kind == CLIENT && row.integer(12) != 0;
              return new TraceCalls.Inner(
                  traceId,
                  row.integer(1),
                  row.integer(2),
                  kind == CLIENT || kind == PRODUCER,
                  call,
                  isAnswered ? served(traceId, row, 12) : null);
            })
        .stream()
        .collect(
            Collectors.groupingBy(
                TraceCalls.Inner::traceId,
                Collectors.collectingAndThen(Collectors.toList(), TraceCalls::of)));
  }

  /// @param at where the span id is; its start, duration and account follow
  private static TraceCalls.Served served(String traceId, Row row, int at) {
    return new TraceCalls.Served(
        row.integer(at),
        new Invocation(
            traceId,
            row.integer(at + 1),
            Math.max(0, row.integer(at + 2)),
            row.text(at + 3),
            row.flag(at + 4),
            row.integer(at + 5),
            row.integer(at + 6),
            row.integer(at + 7),
            row.text(at + 8),
            row.integer(at + 9),
            row.integer(at + 10),
            row.integer(at + 11),
            row.flag(at + 12),
            List.of(),
            1));
  }

  private static String callee(String service, String address, long port) {
    if (!service.isEmpty()) {
      return service;
    }
    if (address.isEmpty()) {
      return "somebody unknown";
    }
    return port == 0 ? address : address + ":" + port;
  }

  /// What latencies would be without the culprits that took most.
  List<Counterfactual> counterfactuals(Source source) {
    List<String> culprits =
        queries.run(
            request,
            bound(
                SqlQuery.of(
                    """
                    SELECT %1$s AS culprit, sum(%2$s*adjusted_count) AS taken FROM spans \
                    WHERE %3$s AND stolen_ns>0 GROUP BY culprit ORDER BY taken DESC, culprit LIMIT %4$d\
                    """
                        .formatted(CULPRIT, TAKEN, invocations(source), CULPRITS)),
                source.scope()),
            row -> row.text(0));
    List<Counterfactual> all = new ArrayList<>();
    for (String culprit : culprits) {
      all.addAll(without(source, culprit));
    }
    return all;
  }

  private List<Counterfactual> without(Source source, String culprit) {
    Summary summary = summary(source, List.of());
    double invocations = summary.worth();
    if (invocations < MIN_FOR_MEAN) {
      return List.of();
    }
    boolean weighted = isWeighted(source);
    double margin = Z95 * Math.sqrt(P99 * (1 - P99) / invocations);
    String levels =
        String.format(Locale.ROOT, "%.8f,%.8f,%.8f", P99 - margin, P99, Math.min(1, P99 + margin));
    List<List<Counterfactual>> found =
        queries.run(
            request,
            bound(
                    SqlQuery.of(
                        """
                        SELECT %s AS mean, %s, sqrt(greatest(0,%s-pow(mean-{typical:Int64},2))), %s, %s, \
                        countIf(is_culprit AND culprit_ns<0 AND stolen_ns>0) \
                        FROM (SELECT duration, adjusted_count, stolen_ns, %s={culprit:String} AS is_culprit, %s AS culprit_ns, \
                        greatest(duration-if(is_culprit,%s,0),0) AS without FROM spans WHERE %s)\
                        """
                            .formatted(
                                mean("without"),
                                mean("duration"),
                                // Around a number near the mean, or digits would be lost.
                                mean("pow(without-{typical:Int64},2)"),
                                quantiles(levels, "without", weighted),
                                quantiles("0.99", "duration", weighted),
                                CULPRIT,
                                CULPRIT_NS,
                                TAKEN,
                                invocations(source))),
                    source.scope())
                .bind("culprit", culprit)
                .bind("typical", Math.round(summary.meanNs())),
            row -> {
              Counterfactual.Bound bound =
                  row.integer(5) == 0 ? Counterfactual.Bound.LOWER : Counterfactual.Bound.NONE;
              double errorNs = Z95 * row.number(2) / Math.sqrt(invocations - 1);
              Counterfactual mean =
                  new Counterfactual(
                      culprit,
                      Counterfactual.Statistic.MEAN,
                      bound,
                      row.number(1),
                      row.number(0),
                      row.number(0) - errorNs,
                      row.number(0) + errorNs);
              double[] quantiles = row.numbers(3);
              return invocations < MIN_FOR_P99
                  ? List.of(mean)
                  : List.of(
                      new Counterfactual(
                          culprit,
                          Counterfactual.Statistic.P99,
                          bound,
                          row.numbers(4)[0],
                          quantiles[1],
                          quantiles[0],
                          quantiles[2]),
                      mean);
            });
    return found.isEmpty() ? List.of() : found.getFirst();
  }

  private static String side(Source source) {
    return source.ofSdk() ? "runtime=''" : "runtime!=''";
  }

  private static String invocations(Source source) {
    return invocations(source.scope()) + " AND " + side(source);
  }

  private static String invocations(Scope scope) {
    return TIME
        + " AND kind IN (2,5) AND NOT open AND adjusted_count>0 AND service={service:String}"
        + (scope.tenant().isPresent() ? " AND tenant={tenant:String}" : "")
        + (scope.version().isPresent() ? " AND version={version:String}" : "")
        + (scope.otherThan().isPresent() ? " AND version!={other_than:String}" : "");
  }

  private static SqlQuery bound(SqlQuery query, Scope scope) {
    SqlQuery bound =
        query
            .bind("from", scope.range().fromNs())
            .bind("to", scope.range().toNs())
            .bind("service", scope.service());
    bound = bindIfPresent(bound, "tenant", scope.tenant());
    bound = bindIfPresent(bound, "version", scope.version());
    return bindIfPresent(bound, "other_than", scope.otherThan());
  }

  private static SqlQuery bindIfPresent(SqlQuery query, String name, Optional<String> value) {
    return value.isPresent() ? query.bind(name, value.get()) : query;
  }

  private static SqlQuery sampled(
      SqlQuery query, Scope scope, long expected, Map<String, Long> values) {
    SqlQuery bound = bound(query, scope).bind("hash", lastHash(expected));
    for (Map.Entry<String, Long> value : values.entrySet()) {
      bound = bound.bind(value.getKey(), value.getValue());
    }
    return bound;
  }

  /// Up to which hash spans belong to a sample.
  private static String lastHash(long expected) {
    if (expected <= SAMPLE) {
      return Long.toUnsignedString(-1L);
    }
    double part = (double) SAMPLE / expected;
    return Long.toUnsignedString(((long) (part * Long.MAX_VALUE)) * 2);
  }
}
