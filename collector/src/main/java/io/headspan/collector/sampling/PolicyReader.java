package io.headspan.collector.sampling;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.schema.CoreSchema;

/// Reads policies from the `tail_sampling` processor's YAML.
final class PolicyReader {
  private static final int DOCUMENT_CHARS_MAX = 1 << 20;

  /// A week.
  private static final long LOOKBACK_MINUTES_MAX = 7 * 24 * 60;

  private static final List<String> DEFAULT_KEYS = List.of("root_service", "root_operation");

  private final LongSupplier epochSecond;
  private final double share;

  /// @param share of all traces that the policies are asked about: rates are for all
  PolicyReader(LongSupplier epochSecond, double share) {
    this.epochSecond = epochSecond;
    this.share = share;
  }

  /// The share of a rate; not 0 of one that lets anything through.
  private long shared(long rate) {
    return rate <= 0 ? rate : Math.max(1, Math.round(rate * share));
  }

  List<SamplingPolicies.Named> read(String yaml) {
    Object root;
    try {
      root =
          new Load(
                  LoadSettings.builder()
                      .setSchema(new CoreSchema())
                      .setCodePointLimit(DOCUMENT_CHARS_MAX)
                      .build())
              .loadFromString(yaml);
    } catch (YamlEngineException e) {
      throw new SamplingException("policies are no YAML: reason=" + e.getMessage(), e);
    }
    if (root instanceof Map<?, ?> document) {
      Object inner = document.get("processors") instanceof Map<?, ?> processors ? processors : root;
      if (inner instanceof Map<?, ?> map && map.get("tail_sampling") instanceof Map<?, ?> own) {
        inner = own;
      }
      root = inner instanceof Map<?, ?> map ? map.get("policies") : null;
    }
    if (!(root instanceof List<?> list) || list.isEmpty()) {
      throw new SamplingException("no policies found; give a list under policies");
    }
    List<SamplingPolicies.Named> policies = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Object each : list) {
      Section section = section(each, "a policy");
      String name = section.text("name", "");
      if (name.isEmpty() || !names.add(name)) {
        throw new SamplingException(
            "policy without a name of its own: name=" + name + "; name each differently");
      }
      policies.add(new SamplingPolicies.Named(name, policy(section)));
    }
    return policies;
  }

  private Policy policy(Section policy) {
    String type = policy.text("type", "");
    Section of = policy.section(type);
    return switch (type) {
      case "always_sample" -> new Policy.AlwaysSample();
      case "latency" ->
          new Policy.Latency(of.number("threshold_ms", 0), of.number("upper_threshold_ms", 0));
      case "numeric_attribute" ->
          new Policy.NumericAttribute(
              of.required("key"),
              of.number("min_value", 0),
              of.number("max_value", 0),
              of.flag("invert_match"));
      case "probabilistic" ->
          Policy.Probabilistic.of(of.real("sampling_percentage"), of.text("hash_salt", ""));
      case "status_code" -> new Policy.StatusCode(statusCodes(of));
      case "string_attribute" -> stringAttribute(of);
      case "boolean_attribute" ->
          new Policy.BooleanAttribute(
              of.required("key"), of.flag("value"), of.flag("invert_match"));
      case "trace_state" ->
          new Policy.TraceState(of.required("key"), Set.copyOf(of.texts("values")));
      case "trace_flags" -> new Policy.TraceFlags();
      case "rate_limiting" ->
          new Policy.RateLimiting(shared(of.number("spans_per_second", 0)), epochSecond);
      case "bytes_limiting" -> bytesLimiting(of);
      case "span_count" ->
          new Policy.SpanCount((int) of.number("min_spans", 0), (int) of.number("max_spans", 0));
      case "ottl_condition" ->
          new Policy.Ottl(conditions(of, "span", false), conditions(of, "spanevent", true));
      case "and" -> new Policy.And(policies(of, "and_sub_policy"));
      case "not" -> new Policy.Not(policy(section(of.value("not_sub_policy"), of.name)));
      case "drop" -> new Policy.Drop(policies(of, "drop_sub_policy"));
      case "composite" -> composite(of);
      case "headspan_stolen_share" -> stolenShare(of);
      case "headspan_culprit" -> culprit(of);
      case "headspan_cold_start" -> {
        of.only();
        yield new Policy.ColdStart();
      }
      case "headspan_slower_than_usual" -> slowerThanUsual(of);
      case "headspan_rare_operation" -> {
        of.only("max_invocations", "lookback_minutes");
        yield new Policy.RareOperation(
            of.between("max_invocations", 10, 0, Integer.MAX_VALUE), lookback(of, 60));
      }
      case "headspan_new_version" -> newVersion(of);
      case "headspan_rate_per_key" -> ratePerKey(of);
      case "headspan_tenant_budget" -> tenantBudget(of);
      default ->
          throw new SamplingException(
              "unknown type of policy: name="
                  + policy.text("name", "")
                  + ", type="
                  + type
                  + "; use one that tail_sampling has, or one of headspan's own");
    };
  }

  private static Policy slowerThanUsual(Section of) {
    of.only("percentile", "lookback_minutes", "min_invocations", "min_ms");
    long percentile = of.number("percentile", 99);
    if (!Policy.SlowerThanUsual.PERCENTILES.contains((int) percentile)) {
      throw of.wrong("percentile", "one of " + Policy.SlowerThanUsual.PERCENTILES);
    }
    return new Policy.SlowerThanUsual(
        (int) percentile,
        lookback(of, 60),
        of.between("min_invocations", 100, 1, Integer.MAX_VALUE),
        of.between("min_ms", 0, 0, Integer.MAX_VALUE));
  }

  private static Policy newVersion(Section of) {
    of.only("minutes", "lookback_minutes");
    long minutes = of.between("minutes", 10, 1, LOOKBACK_MINUTES_MAX);
    long lookback = lookback(of, 24 * 60);
    if (lookback <= minutes) {
      throw of.wrong("lookback_minutes", "more than minutes, " + minutes);
    }
    return new Policy.NewVersion(minutes, lookback);
  }

  private static long lookback(Section of, long otherwise) {
    return of.between("lookback_minutes", otherwise, 1, LOOKBACK_MINUTES_MAX);
  }

  private Policy ratePerKey(Section of) {
    of.only("traces_per_second", "keys", "half_life_seconds", "max_keys");
    double goal = of.rate("traces_per_second") * share;
    Set<Policy.KeyedRate.Part> parts = new LinkedHashSet<>();
    for (String each : of.value("keys") == null ? DEFAULT_KEYS : of.texts("keys")) {
      parts.add(
          switch (each) {
            case "tenant" -> Policy.KeyedRate.Part.TENANT;
            case "root_service" -> Policy.KeyedRate.Part.ROOT_SERVICE;
            case "root_operation" -> Policy.KeyedRate.Part.ROOT_OPERATION;
            default -> throw of.wrong("keys", "a list of tenant, root_service, root_operation");
          });
    }
    if (parts.isEmpty()) {
      throw of.wrong("keys", "a list of tenant, root_service, root_operation");
    }
    return new Policy.KeyedRate(
        List.copyOf(parts), Policy.KeyedRate.Unit.TRACES, _ -> goal, rates(of));
  }

  private Policy tenantBudget(Section of) {
    of.only("spans_per_second", "tenants", "half_life_seconds", "max_keys");
    double goal = of.rate("spans_per_second") * share;
    Map<String, Double> own = new HashMap<>();
    for (Object each : of.list("tenants")) {
      if (!(each instanceof Map<?, ?> map)) {
        throw of.wrong("tenants", "a list of tenant and spans_per_second");
      }
      Section tenant = new Section(of.name, map);
      tenant.only("tenant", "spans_per_second");
      if (own.put(tenant.required("tenant"), tenant.rate("spans_per_second") * share) != null) {
        throw tenant.wrong("tenant", "each tenant once");
      }
    }
    return new Policy.KeyedRate(
        List.of(Policy.KeyedRate.Part.TENANT),
        Policy.KeyedRate.Unit.SPANS,
        key -> own.getOrDefault(key.getFirst(), goal),
        rates(of));
  }

  private KeyRates rates(Section of) {
    return new KeyRates(
        of.between("half_life_seconds", 10, 1, 3600),
        (int) of.between("max_keys", 10_000, 1, 1_000_000),
        epochSecond);
  }

  private static Policy stolenShare(Section of) {
    of.only("min_share");
    double share = of.real("min_share");
    if (share <= 0 || share > 1) {
      throw of.wrong("min_share", "a share above 0 and up to 1");
    }
    return new Policy.StolenShare(share);
  }

  private static Policy culprit(Section of) {
    of.only("tenants");
    if (of.texts("tenants").isEmpty()) {
      throw of.wrong("tenants", "a list of tenants");
    }
    return new Policy.Culprit(of.texts("tenants"));
  }

  private Policy bytesLimiting(Section of) {
    long rate = of.number("bytes_per_second", 0);
    if (rate <= 0 || rate > Long.MAX_VALUE / 4) {
      throw of.wrong("bytes_per_second", "a rate above 0");
    }
    long burst = of.number("burst_capacity", 0);
    return new Policy.BytesLimiting(
        shared(rate), shared(burst > 0 ? burst : 2 * rate), epochSecond);
  }

  /// As in the processor, a sub-policy that `rate_allocation` does not name has no share, and one
  /// that it names without a percentage has an equal share.
  private Policy composite(Section of) {
    long total = shared(of.number("max_total_spans_per_second", 0));
    Map<String, Section> byName = new LinkedHashMap<>();
    for (Object each : of.list("composite_sub_policy")) {
      Section section = section(each, of.name);
      byName.put(section.text("name", ""), section);
    }
    Map<String, Long> percents = new HashMap<>();
    for (Object each : of.list("rate_allocation")) {
      Section section = section(each, of.name);
      percents.put(section.text("policy", ""), section.number("percent", 0));
    }
    if (byName.isEmpty()) {
      throw new SamplingException(
          "policy without sub-policies: policy=" + of.name + ", key=composite_sub_policy");
    }
    Set<String> order = new LinkedHashSet<>(of.texts("policy_order"));
    order.addAll(byName.keySet());
    List<Policy.Composite.Share> shares = new ArrayList<>();
    for (String name : order) {
      Section section = byName.get(name);
      if (section == null) {
        throw new SamplingException(
            "policy_order names a policy that is not there: policy=" + of.name + ", name=" + name);
      }
      Long percent = percents.get(name);
      double share =
          percent == null
              ? 0
              : percent > 0 ? percent / 100.0 * total : (double) total / byName.size();
      shares.add(new Policy.Composite.Share(policy(section), (long) share));
    }
    return new Policy.Composite(shares, total, epochSecond);
  }

  private List<Policy> policies(Section of, String key) {
    List<Policy> policies = new ArrayList<>();
    for (Object each : of.list(key)) {
      policies.add(policy(section(each, of.name)));
    }
    if (policies.isEmpty()) {
      throw new SamplingException(
          "policy without sub-policies: policy=" + of.name + ", key=" + key);
    }
    return policies;
  }

  private static Set<Integer> statusCodes(Section of) {
    Set<Integer> codes = new HashSet<>();
    for (String each : of.texts("status_codes")) {
      codes.add(
          switch (each) {
            case "UNSET" -> 0;
            case "OK" -> 1;
            case "ERROR" -> 2;
            default ->
                throw new SamplingException(
                    "unknown status code: policy="
                        + of.name
                        + ", code="
                        + each
                        + "; use ERROR, OK or UNSET");
          });
    }
    return codes;
  }

  private static Policy stringAttribute(Section of) {
    boolean regex = of.flag("enabled_regex_matching");
    List<String> values =
        of.texts("values").stream().filter(each -> regex || !each.isEmpty()).toList();
    List<Pattern> patterns = new ArrayList<>();
    for (String each : values) {
      try {
        patterns.add(Pattern.compile(regex ? each : "\\A" + Pattern.quote(each) + "\\z"));
      } catch (PatternSyntaxException e) {
        throw new SamplingException(
            "bad regular expression: policy=" + of.name + ", reason=" + e.getDescription(), e);
      }
    }
    return new Policy.StringAttribute(
        of.required("key"), values, regex, patterns, of.flag("invert_match"));
  }

  private static List<OttlCondition> conditions(Section of, String key, boolean ofEvents) {
    return of.texts(key).stream().map(each -> OttlCondition.parse(each, ofEvents)).toList();
  }

  private static Section section(@Nullable Object value, String what) {
    if (value instanceof Map<?, ?> map) {
      return new Section(String.valueOf(map.get("name")), map);
    }
    throw new SamplingException("not a policy: where=" + what + "; give it a name and a type");
  }

  /// A mapping of the document.
  ///
  /// @param name the policy it belongs to
  private record Section(String name, Map<?, ?> values) {
    @Nullable Object value(String key) {
      return values.get(key);
    }

    Section section(String key) {
      return value(key) instanceof Map<?, ?> map
          ? new Section(name, map)
          : new Section(name, Map.of());
    }

    String text(String key, String otherwise) {
      Object value = value(key);
      return value == null ? otherwise : String.valueOf(value);
    }

    String required(String key) {
      String text = text(key, "");
      if (text.isEmpty()) {
        throw wrong(key, "a text");
      }
      return text;
    }

    long number(String key, long otherwise) {
      return switch (value(key)) {
        case null -> otherwise;
        case Integer number -> number;
        case Long number -> number;
        default -> throw wrong(key, "an integer");
      };
    }

    double real(String key) {
      return value(key) instanceof Number number ? number.doubleValue() : 0;
    }

    /// An integer within bounds.
    long between(String key, long otherwise, long least, long most) {
      long number = number(key, otherwise);
      if (number < least || number > most) {
        throw wrong(key, "an integer from " + least + " to " + most);
      }
      return number;
    }

    /// A number above 0.
    double rate(String key) {
      if (value(key) instanceof Number number
          && number.doubleValue() > 0
          && number.doubleValue() <= Integer.MAX_VALUE) {
        return number.doubleValue();
      }
      throw wrong(key, "a rate above 0");
    }

    /// Refuses all keys but these.
    void only(String... known) {
      for (Object key : values.keySet()) {
        if (!List.of(known).contains(String.valueOf(key))) {
          throw new SamplingException(
              "unknown key of a policy: policy="
                  + name
                  + ", key="
                  + key
                  + (known.length == 0
                      ? "; it takes none"
                      : "; it takes " + String.join(", ", known)));
        }
      }
    }

    boolean flag(String key) {
      return switch (value(key)) {
        case null -> false;
        case Boolean flag -> flag;
        default -> throw wrong(key, "true or false");
      };
    }

    List<?> list(String key) {
      return switch (value(key)) {
        case null -> List.of();
        case List<?> list -> list;
        default -> throw wrong(key, "a list");
      };
    }

    List<String> texts(String key) {
      return list(key).stream().map(String::valueOf).toList();
    }

    private SamplingException wrong(String key, String expected) {
      return new SamplingException(
          "bad value of a policy: policy="
              + name
              + ", key="
              + key
              + ", value="
              + value(key)
              + "; expected "
              + expected);
    }
  }
}
