package io.headspan.collector.sampling;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.ToDoubleFunction;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A policy of the `tail_sampling` processor, with the meaning it has there (contrib v0.112,
/// `processor/tailsamplingprocessor/internal/sampling`). Those with a rate keep count, so one
/// instance serves one sampler; not thread-safe.
sealed interface Policy {
  PolicyDecision decide(TraceFacts trace);

  /// This and all policies within it.
  default Stream<Policy> parts() {
    return Stream.of(this);
  }

  /// With which probability it keeps traces for which the same conditions hold; NaN if nobody
  /// knows.
  ///
  /// @param decision what it said of this one
  default double probability(TraceFacts trace, PolicyDecision decision) {
    return decision.isSampled() ? 1 : 0;
  }

  /// Whether it always says the same of traces for which the same conditions hold.
  default boolean isSure() {
    return true;
  }

  /// A policy that asks whether something holds for a trace, and keeps no count.
  sealed interface Condition extends Policy {
    /// Whether it holds for a trace of which all spans are at hand.
    boolean matches(SampledTrace trace);

    @Override
    default PolicyDecision decide(TraceFacts trace) {
      return PolicyDecision.of(trace.holds(this));
    }
  }

  /// A condition on how spans compare to what the store's rollups say of their like.
  sealed interface OfHistory extends Condition {}

  record AlwaysSample() implements Policy {
    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return PolicyDecision.SAMPLED;
    }
  }

  /// From the first start to the last end, in whole ms.
  ///
  /// @param upperMillis 0 for none; with one, the threshold itself does not match
  record Latency(long thresholdMillis, long upperMillis) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      long first = Long.MAX_VALUE;
      long last = Long.MIN_VALUE;
      for (int span = 0; span < trace.size(); span++) {
        first = Math.min(first, trace.batch().startNs(span));
        last = Math.max(last, trace.batch().startNs(span) + trace.batch().durationNs(span));
        long millis = TimeUnit.NANOSECONDS.toMillis(last - first);
        // As the processor: at each span, with those before it.
        boolean matches =
            upperMillis == 0
                ? millis >= thresholdMillis
                : millis > thresholdMillis && millis <= upperMillis;
        if (matches) {
          return true;
        }
      }
      return false;
    }
  }

  /// Whether any span has one of some status codes.
  ///
  /// @param codes OTLP's numbers
  record StatusCode(Set<Integer> codes) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpan(span -> codes.contains((int) trace.batch().statusCode(span)));
    }
  }

  record NumericAttribute(String key, long min, long max, boolean invert) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anyAttribute(
          key,
          (type, value) -> {
            long number = type == AttributeType.INT ? value : 0;
            return number >= min && number <= max;
          });
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return inverted(invert, trace.holds(this));
    }
  }

  /// Whether a text of any span or its resource matches.
  ///
  /// @param values whole texts, or expressions to be found in the text
  /// @param patterns the same, compiled
  record StringAttribute(
      String key, List<String> values, boolean regex, List<Pattern> patterns, boolean invert)
      implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      // What is no text counts as an empty one with a resource and as nothing with a span, as in
      // the processor.
      return trace.anyResourceAttribute(key, (type, value) -> matches(trace.text(type, value)))
          || trace.anySpanAttribute(
              key,
              (type, value) -> {
                String text = trace.text(type, value);
                return !text.isEmpty() && matches(text);
              });
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return inverted(invert, trace.holds(this));
    }

    private boolean matches(String text) {
      return patterns.stream().anyMatch(each -> each.matcher(text).find());
    }
  }

  record BooleanAttribute(String key, boolean value, boolean invert) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anyAttribute(
          key, (type, bits) -> (type == AttributeType.BOOL && bits != 0) == value);
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return inverted(invert, trace.holds(this));
    }
  }

  /// Whether the trace has as many spans.
  ///
  /// @param max 0 for none
  record SpanCount(int min, int max) implements Policy {
    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return PolicyDecision.of(trace.spans() >= min && (max == 0 || trace.spans() <= max));
    }
  }

  record TraceState(String key, Set<String> values) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpan(span -> {
        for (String entry : trace.batch().text(trace.batch().traceState(span)).split(",", -1)) {
          int equals = entry.indexOf('=');
          if (equals > 0
              && entry.substring(0, equals).strip().equals(key)
              && values.contains(entry.substring(equals + 1).strip())) {
            return true;
          }
        }
        return false;
      });
    }
  }

  /// Whether the sampled bit of any span's flags is set.
  record TraceFlags() implements Condition {
    private static final int SAMPLED = 1;

    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpan(span -> (trace.batch().flags(span) & SAMPLED) != 0);
    }
  }

  /// By a hash of the trace id (FNV-1a, 64 bits), so that collectors with the same salt agree.
  record Probabilistic(long threshold, byte[] salt) implements Policy {
    private static final long FNV_OFFSET = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;

    static Probabilistic of(double percentage, String salt) {
      BigDecimal ratio = BigDecimal.valueOf(Math.clamp(percentage / 100, 0, 1));
      BigInteger all = BigInteger.ONE.shiftLeft(Long.SIZE).subtract(BigInteger.ONE);
      long threshold =
          new BigDecimal(all).multiply(ratio, MathContext.UNLIMITED).toBigInteger().longValue();
      return new Probabilistic(
          threshold,
          (salt.isEmpty() ? "default-hash-seed" : salt).getBytes(StandardCharsets.UTF_8));
    }

    /// With a probability from 0 to 1.
    static Probabilistic of(double probability) {
      return of(100 * probability, "");
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return (threshold >>> 1) / (double) Long.MAX_VALUE;
    }

    @Override
    public boolean isSure() {
      return false;
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      if (trace.spans() == 0) {
        return PolicyDecision.NOT_SAMPLED;
      }
      byte[] id =
          ByteBuffer.allocate(2 * Long.BYTES)
              .putLong(trace.traceIdHigh())
              .putLong(trace.traceIdLow())
              .array();
      long hash = hash(hash(FNV_OFFSET, salt), id);
      return PolicyDecision.of(Long.compareUnsigned(hash, threshold) <= 0);
    }

    private static long hash(long from, byte[] bytes) {
      long hash = from;
      for (byte each : bytes) {
        hash = (hash ^ (each & 0xff)) * FNV_PRIME;
      }
      return hash;
    }
  }

  /// As many spans a second, in whole traces.
  final class RateLimiting implements Policy {
    private final long spansPerSecond;
    private final LongSupplier epochSecond;
    private long second;
    private long spans;

    RateLimiting(long spansPerSecond, LongSupplier epochSecond) {
      this.spansPerSecond = spansPerSecond;
      this.epochSecond = epochSecond;
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return Double.NaN;
    }

    @Override
    public boolean isSure() {
      return false;
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      long now = epochSecond.getAsLong();
      if (now != second) {
        second = now;
        spans = 0;
      }
      if (spans + trace.spans() > spansPerSecond) {
        return PolicyDecision.NOT_SAMPLED;
      }
      spans += trace.spans();
      return PolicyDecision.SAMPLED;
    }
  }

  /// As many bytes a second, in whole traces, and more at once after quiet seconds.
  final class BytesLimiting implements Policy {
    private final long bytesPerSecond;
    private final long burstBytes;
    private final LongSupplier epochSecond;
    private long second;
    private long left;

    BytesLimiting(long bytesPerSecond, long burstBytes, LongSupplier epochSecond) {
      this.bytesPerSecond = bytesPerSecond;
      this.burstBytes = burstBytes;
      this.epochSecond = epochSecond;
      second = epochSecond.getAsLong();
      left = burstBytes;
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return Double.NaN;
    }

    @Override
    public boolean isSure() {
      return false;
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      long now = epochSecond.getAsLong();
      while (second < now && left < burstBytes) {
        left = Math.min(burstBytes, left + bytesPerSecond);
        second++;
      }
      second = now;
      long size = trace.sizeBytes();
      if (size > left) {
        return PolicyDecision.NOT_SAMPLED;
      }
      left -= size;
      return PolicyDecision.SAMPLED;
    }
  }

  /// Whether other tenants took at least a share of the time of any span.
  record StolenShare(double minShare) implements Condition {
    static final String STOLEN = "headspan.stolen_ns";

    @Override
    public boolean matches(SampledTrace trace) {
      Attributes attributes = trace.batch().spanAttributes();
      return trace.anySpan(span -> {
        int row = trace.find(attributes, span, STOLEN);
        long duration = trace.batch().durationNs(span);
        return row >= 0
            && attributes.type(row) == AttributeType.INT
            && duration > 0
            && attributes.value(row) >= minShare * duration;
      });
    }
  }

  /// Whether one of some tenants took most of what was taken from any span.
  record Culprit(List<String> tenants) implements Condition {
    static final String CULPRIT = "headspan.culprit";

    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpanAttribute(
          CULPRIT,
          (type, value) ->
              type == AttributeType.STRING && tenants.contains(trace.text(type, value)));
    }
  }

  /// Whether any span is an invocation for which an instance was started.
  record ColdStart() implements Condition {
    static final String COLD_START = "faas.coldstart";

    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpanAttribute(
          COLD_START, (type, value) -> type == AttributeType.BOOL && value != 0);
    }
  }

  /// Whether an invocation took longer than most of its operation's lately, of which there must
  /// have been some.
  ///
  /// @param percentile one of [#PERCENTILES]
  /// @param minMillis what is faster is not slow, however fast its like are
  record SlowerThanUsual(int percentile, long lookbackMinutes, long minInvocations, long minMillis)
      implements OfHistory {
    static final List<Integer> PERCENTILES = List.of(50, 90, 95, 99);

    @Override
    public boolean matches(SampledTrace trace) {
      History history = trace.history(this);
      return trace.anySpan(span ->
          trace.isInvocation(span)
              && trace.batch().durationNs(span) >= TimeUnit.MILLISECONDS.toNanos(minMillis)
              && history
                  .find(trace.operation(span))
                  .filter(usual -> trace.batch().durationNs(span) > usual.value())
                  .isPresent());
    }
  }

  /// Whether any span is an invocation of an operation of which there were few lately.
  ///
  /// @param maxInvocations the most that are rare
  record RareOperation(long maxInvocations, long lookbackMinutes) implements OfHistory {
    @Override
    public boolean matches(SampledTrace trace) {
      History common = trace.history(this);
      return trace.anySpan(
          span -> trace.isInvocation(span) && common.find(trace.operation(span)).isEmpty());
    }
  }

  /// Whether any span is of a version that was not there some minutes ago, when another version of
  /// its service was.
  ///
  /// @param minutes for how long a version is new
  record NewVersion(long minutes, long lookbackMinutes) implements OfHistory {
    @Override
    public boolean matches(SampledTrace trace) {
      History old = trace.history(this);
      return trace.anySpan(span -> {
        History.Name version = trace.version(span);
        return !version.name().isEmpty()
            && old.hasService(version.tenant(), version.service())
            && old.find(version).isEmpty();
      });
    }
  }

  /// Keeps of each key the share that makes up a rate of its own, by the hash of the trace id: a
  /// share that does not depend on that hash, so it is known how many a trace stands for.
  final class KeyedRate implements Policy {
    /// What traces are told apart by.
    enum Part {
      TENANT,
      ROOT_SERVICE,
      ROOT_OPERATION;

      private String of(TraceFacts trace) {
        return switch (this) {
          case TENANT -> trace.tenant();
          case ROOT_SERVICE -> trace.rootService();
          case ROOT_OPERATION -> trace.rootOperation();
        };
      }
    }

    /// What is counted.
    enum Unit {
      TRACES,
      SPANS
    }

    private final List<Part> key;
    private final Unit unit;
    private final ToDoubleFunction<List<String>> goal;
    private final KeyRates rates;
    private double share;

    /// @param goal as much a second is to be kept of a key
    KeyedRate(List<Part> key, Unit unit, ToDoubleFunction<List<String>> goal, KeyRates rates) {
      this.key = List.copyOf(key);
      this.unit = unit;
      this.goal = goal;
      this.rates = rates;
    }

    boolean needsTenant() {
      return key.contains(Part.TENANT);
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return share;
    }

    @Override
    public boolean isSure() {
      return false;
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      List<String> of = key.stream().map(part -> part.of(trace)).toList();
      double rate = rates.count(of, unit == Unit.SPANS ? (double) trace.spans() : 1);
      share = Math.min(1, goal.applyAsDouble(of) / rate);
      return Probabilistic.of(share).decide(trace);
    }
  }

  /// Whether a condition holds for any span or event.
  ///
  /// @param span conditions of which one must hold for a span
  /// @param event conditions of which one must hold for an event
  record Ottl(List<OttlCondition> span, List<OttlCondition> event) implements Condition {
    @Override
    public boolean matches(SampledTrace trace) {
      return trace.anySpan(row -> {
        if (span.stream().anyMatch(each -> each.holdsForSpan(trace, row))) {
          return true;
        }
        for (int i = trace.batch().eventBegin(row); i < trace.batch().eventEnd(row); i++) {
          int eventRow = i;
          if (event.stream().anyMatch(each -> each.holdsForEvent(trace, row, eventRow))) {
            return true;
          }
        }
        return false;
      });
    }
  }

  record And(List<Policy> policies) implements Policy {
    @Override
    public Stream<Policy> parts() {
      return policies.stream().flatMap(Policy::parts);
    }

    /// Where conditions hold it is that of the one policy that is none.
    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      List<Policy> unsure = new ArrayList<>();
      for (Policy policy : policies) {
        if (!policy.isSure()) {
          unsure.add(policy);
        } else if (!policy.decide(trace).isSampled()) {
          return 0;
        }
      }
      return switch (unsure.size()) {
        case 0 -> 1;
        case 1 -> unsure.getFirst().probability(trace, decision);
        default -> Double.NaN;
      };
    }

    @Override
    public boolean isSure() {
      return policies.stream().allMatch(Policy::isSure);
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return PolicyDecision.of(policies.stream().allMatch(each -> each.decide(trace).isSampled()));
    }
  }

  /// The opposite of what another policy says.
  record Not(Policy policy) implements Policy {
    @Override
    public Stream<Policy> parts() {
      return policy.parts();
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return Policy.jointly(this, decision);
    }

    @Override
    public boolean isSure() {
      return policy.isSure();
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return PolicyDecision.of(!policy.decide(trace).isSampled());
    }
  }

  /// Drops what all its policies match, whatever others say.
  record Drop(List<Policy> policies) implements Policy {
    @Override
    public Stream<Policy> parts() {
      return policies.stream().flatMap(Policy::parts);
    }

    @Override
    public boolean isSure() {
      return policies.stream().allMatch(Policy::isSure);
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      return policies.stream().allMatch(each -> each.decide(trace).isSampled())
          ? PolicyDecision.DROPPED
          : PolicyDecision.NOT_SAMPLED;
    }
  }

  /// The first policy that matches decides, within its share of the spans of a second.
  final class Composite implements Policy {
    /// One of them, with its own count.
    static final class Share {
      private final Policy policy;
      private final long spansPerSecond;
      private long spans;

      Share(Policy policy, long spansPerSecond) {
        this.policy = policy;
        this.spansPerSecond = spansPerSecond;
      }
    }

    private final List<Share> shares;
    private final long maxTotal;
    private final LongSupplier epochSecond;
    private long second;

    Composite(List<Share> shares, long maxTotal, LongSupplier epochSecond) {
      this.shares = List.copyOf(shares);
      this.maxTotal = maxTotal;
      this.epochSecond = epochSecond;
    }

    @Override
    public Stream<Policy> parts() {
      return shares.stream().flatMap(share -> share.policy.parts());
    }

    @Override
    public double probability(TraceFacts trace, PolicyDecision decision) {
      return Double.NaN;
    }

    @Override
    public boolean isSure() {
      return false;
    }

    @Override
    public PolicyDecision decide(TraceFacts trace) {
      long now = epochSecond.getAsLong();
      if (now != second) {
        second = now;
        shares.forEach(each -> each.spans = 0);
      }
      for (Share share : shares) {
        if (share.policy.decide(trace).isSampled()) {
          long wanted = share.spans + trace.spans();
          if (wanted > share.spansPerSecond || wanted > maxTotal) {
            return PolicyDecision.NOT_SAMPLED;
          }
          share.spans = wanted;
          return PolicyDecision.SAMPLED;
        }
      }
      return PolicyDecision.NOT_SAMPLED;
    }
  }

  /// Of policies within others: sure if all are, else not known.
  private static double jointly(Policy policy, PolicyDecision decision) {
    return policy.isSure() ? (decision.isSampled() ? 1 : 0) : Double.NaN;
  }

  private static PolicyDecision inverted(boolean invert, boolean matches) {
    if (invert) {
      return matches ? PolicyDecision.INVERT_NOT_SAMPLED : PolicyDecision.INVERT_SAMPLED;
    }
    return PolicyDecision.of(matches);
  }
}
