package io.headspan.collector.edge;

import io.headspan.collector.ingest.Omission;
import io.headspan.collector.ingest.Records;
import io.headspan.collector.ingest.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Holds batches against the limits of the tenants in them.
///
/// What is larger than its tenant allows is left out: to send it again would not mend it. For what
/// is too much for now it depends on who sends. A tenant's own program is told to come again: it
/// slows nobody down but itself, and nothing is lost. An agent sends for all tenants of its node,
/// in order: told to come again, it would hold back the others for the one. So what the one sends
/// above its rate is left out, and counted; but not what is late, because it was captured when
/// nobody could tell whether it was too much, and cannot be more than a spool holds.
///
/// What was decided of a batch holds for it when it comes again, as long as it is remembered, and
/// is charged once.
///
/// What it keeps is bounded whatever names arrive: beyond so many tenants, those that are not named
/// in the file share one allowance. Thread-safe.
final class Limiter {
  /// More tenants than any installation has with a rate of their own at the same time.
  static final int TENANTS_MAX = 10_000;

  private static final int DECISIONS_MAX = 10_000;

  private static final long SWEEP_EVERY_NS = 1_000_000_000;

  /// No tenant is called so.
  private static final String OTHERS = "{others}";

  private final LongSupplier clock;
  private final Map<String, TenantRates> rates = new HashMap<>();

  /// Tenants that were left out, by batch.
  private final Map<String, Set<String>> decisions =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Set<String>> eldest) {
          return size() > DECISIONS_MAX;
        }
      };

  private long sweptNs;

  /// @param clock nanoseconds that never go back
  Limiter(LongSupplier clock) {
    this.clock = clock;
    sweptNs = clock.getAsLong() - SWEEP_EVERY_NS;
  }

  /// What may be stored of a batch.
  ///
  /// @param name the batch's deduplication token
  /// @param lateBy how long ago it was made
  <T> Admitted<T> admit(
      TenantRules rules, Sender sender, Records<T> records, String name, Duration lateBy) {
    List<String> tenants = records.tenants();
    List<TenantLimits> limits = tenants.stream().map(rules::limitsOf).toList();
    BitSet left = new BitSet(records.size());
    int[] counts = new int[tenants.size()];
    long[] bytes = new long[tenants.size()];
    int[] tooLarge = new int[tenants.size()];
    String message = "";
    for (int i = 0; i < records.size(); i++) {
      int tenant = records.tenant(i);
      TenantLimits limit = limits.get(tenant);
      long size = limit.bytesPerSecond() > 0 || limit.recordBytes() > 0 ? records.bytes(i) : 0;
      if (limit.hasSizes()) {
        String fault = fault(limit, records, i, size);
        if (!fault.isEmpty()) {
          tooLarge[tenant]++;
          message = message.isEmpty() ? fault + ", tenant=" + tenants.get(tenant) : message;
          continue;
        }
      }
      left.set(i);
      counts[tenant]++;
      bytes[tenant] += size;
    }
    Set<String> over = new TreeSet<>();
    long waitNs = charge(limits, sender, records, counts, bytes, name, lateBy, over);
    if (waitNs > 0) {
      return new Admitted.Refused<>(
          Rejection.RATE_LIMITED,
          "too much for now: tenants=%s, kind=%s, comeAgainMillis=%d"
              .formatted(over, records.kind().signal(), waitNs / 1_000_000 + 1),
          Duration.ofNanos(waitNs));
    }
    List<Omission> omitted = new ArrayList<>();
    for (int tenant = 0; tenant < tooLarge.length; tenant++) {
      String called = tenants.get(tenant);
      if (tooLarge[tenant] > 0) {
        omitted.add(
            new Omission(
                sender.name(), called, records.kind(), Rejection.TOO_LARGE, tooLarge[tenant]));
      }
      if (over.contains(called) && counts[tenant] > 0) {
        omitted.add(
            new Omission(
                sender.name(), called, records.kind(), Rejection.RATE_LIMITED, counts[tenant]));
        message = message.isEmpty() ? "above the tenant's rate: tenant=" + called : message;
      }
    }
    if (omitted.isEmpty()) {
      return new Admitted.Taken<>(records.batch(), List.of(), "");
    }
    for (int i = left.nextSetBit(0); i >= 0; i = left.nextSetBit(i + 1)) {
      if (over.contains(tenants.get(records.tenant(i)))) {
        left.clear(i);
      }
    }
    return new Admitted.Taken<>(records.excerpt(left), omitted, message);
  }

  /// Takes what comes from the tenants' allowances.
  ///
  /// @param over takes the tenants of which nothing may come
  /// @return when the batch may come again, ns from now; 0 if the others' may come now
  private synchronized long charge(
      List<TenantLimits> limits,
      Sender sender,
      Records<?> records,
      int[] counts,
      long[] bytes,
      String name,
      Duration lateBy,
      Set<String> over) {
    if (limits.stream().noneMatch(TenantLimits::hasRates)) {
      return 0;
    }
    @Nullable Set<String> decided = decisions.get(name);
    if (decided != null) {
      over.addAll(decided);
      return 0;
    }
    long nowNs = clock.getAsLong();
    long longestNs = 0;
    List<@Nullable TenantRates> charged = new ArrayList<>();
    for (int tenant = 0; tenant < counts.length; tenant++) {
      TenantLimits limit = limits.get(tenant);
      boolean isLate = !sender.bound() && lateBy.compareTo(limit.burst()) > 0;
      @Nullable TenantRates rate =
          limit.hasRates() && counts[tenant] > 0 && !isLate
              ? rates(records.tenants().get(tenant), limit, nowNs)
              : null;
      long waitNs = rate == null ? 0 : rate.waitNs(records.kind(), nowNs);
      if (waitNs > 0) {
        over.add(records.tenants().get(tenant));
        longestNs = Math.max(longestNs, waitNs);
      }
      charged.add(waitNs > 0 ? null : rate);
    }
    if (longestNs > 0 && sender.bound()) {
      return longestNs;
    }
    for (int tenant = 0; tenant < counts.length; tenant++) {
      @Nullable TenantRates rate = charged.get(tenant);
      if (rate != null) {
        rate.take(records.kind(), counts[tenant], bytes[tenant]);
      }
    }
    decisions.put(name, Set.copyOf(over));
    return 0;
  }

  private TenantRates rates(String tenant, TenantLimits limits, long nowNs) {
    @Nullable TenantRates known = rates.get(tenant);
    if (known == null && rates.size() >= TENANTS_MAX && nowNs - sweptNs >= SWEEP_EVERY_NS) {
      sweptNs = nowNs;
      rates.values().removeIf(each -> each.isFull(nowNs));
    }
    String key = known == null && rates.size() >= TENANTS_MAX ? OTHERS : tenant;
    @Nullable TenantRates current = rates.get(key);
    if (current == null || !current.limits().equals(limits)) {
      current = new TenantRates(limits, nowNs);
      rates.put(key, current);
    }
    return current;
  }

  /// Tenants with an allowance of their own now.
  synchronized int tenants() {
    return rates.size();
  }

  /// What is too large of a record; "" if nothing is.
  private static String fault(TenantLimits limit, Records<?> records, int record, long size) {
    if (limit.attributes() > 0 && records.attributes(record) > limit.attributes()) {
      return "too many attributes: attributes="
          + records.attributes(record)
          + ", limit="
          + limit.attributes();
    }
    if (limit.valueBytes() > 0 && records.longestValueBytes(record) > limit.valueBytes()) {
      return "value too long: bytes="
          + records.longestValueBytes(record)
          + ", limit="
          + limit.valueBytes();
    }
    return limit.recordBytes() > 0 && size > limit.recordBytes()
        ? "too large: bytes=" + size + ", limit=" + limit.recordBytes()
        : "";
  }
}
