package io.headspan.collector.edge;

import io.headspan.collector.ingest.Omission;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/// What one tenant may still send of each kind, and of bytes. Guarded by its owner.
final class TenantRates {
  private final TenantLimits limits;
  private final Map<Omission.Kind, Allowance> records = new EnumMap<>(Omission.Kind.class);
  private final Allowance bytes;

  TenantRates(TenantLimits limits, long nowNs) {
    this.limits = limits;
    for (Omission.Kind kind : Omission.Kind.values()) {
      double perSecond =
          switch (kind) {
            case SPANS -> limits.spansPerSecond();
            case LOG_RECORDS -> limits.logRecordsPerSecond();
            case DATA_POINTS -> limits.dataPointsPerSecond();
          };
      records.put(kind, new Allowance(perSecond, limits.burst(), nowNs));
    }
    bytes = new Allowance(limits.bytesPerSecond(), limits.burst(), nowNs);
  }

  TenantLimits limits() {
    return limits;
  }

  /// When something of a kind may come, ns from now; 0 if it may now.
  long waitNs(Omission.Kind kind, long nowNs) {
    return Math.max(of(kind).waitNs(nowNs), bytes.waitNs(nowNs));
  }

  void take(Omission.Kind kind, int count, long sizeBytes) {
    of(kind).take(count);
    bytes.take((double) sizeBytes);
  }

  /// Whether one that is made anew would be the same.
  boolean isFull(long nowNs) {
    boolean full = bytes.waitNs(nowNs) == 0 && bytes.isFull();
    for (Allowance each : records.values()) {
      full &= each.waitNs(nowNs) == 0 && each.isFull();
    }
    return full;
  }

  private Allowance of(Omission.Kind kind) {
    return Objects.requireNonNull(records.get(kind));
  }
}
