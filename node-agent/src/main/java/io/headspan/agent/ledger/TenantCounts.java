package io.headspan.agent.ledger;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/// How many spans of a batch are of which tenant. Immutable.
public final class TenantCounts {
  private final Map<String, Integer> counts;
  private final int total;

  private TenantCounts(Map<String, Integer> counts) {
    this.counts = counts;
    total = counts.values().stream().mapToInt(Integer::intValue).sum();
  }

  /// These counts.
  ///
  /// @param counts by tenant, [Ledger#NO_TENANT] for none
  public static TenantCounts of(Map<String, Integer> counts) {
    return new TenantCounts(new TreeMap<>(counts));
  }

  /// Spans of all tenants.
  public int total() {
    return total;
  }

  /// Number of tenants.
  public int size() {
    return counts.size();
  }

  public void forEach(ObjIntConsumer<String> action) {
    counts.forEach(action::accept);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof TenantCounts that && counts.equals(that.counts);
  }

  @Override
  public int hashCode() {
    return counts.hashCode();
  }

  @Override
  public String toString() {
    return counts.toString();
  }

  /// Counts the spans of a batch that is being filled.
  public static final class Builder {
    private final Map<String, Integer> counts = new TreeMap<>();

    /// Counts one span.
    ///
    /// @param tenant null for none
    public void add(@Nullable String tenant) {
      var _ = counts.merge(tenant == null ? Ledger.NO_TENANT : tenant, 1, Integer::sum);
    }

    public TenantCounts build() {
      return of(counts);
    }
  }
}
