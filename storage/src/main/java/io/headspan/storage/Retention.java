package io.headspan.storage;

import java.time.LocalDate;
import java.util.Map;

/// How long what is stored of each tenant stays: so many whole days (UTC) after that of a span. 0
/// is for ever.
///
/// @param days by tenant
/// @param otherDays of tenants that are not named, and of what is nobody's
public record Retention(Map<String, Integer> days, int otherDays) {
  /// Nothing ever goes.
  public static final Retention FOR_EVER = new Retention(Map.of(), 0);

  public Retention {
    days = Map.copyOf(days);
    if (otherDays < 0 || days.values().stream().anyMatch(each -> each < 0)) {
      throw new IllegalArgumentException(
          "a retention below 0: days=" + days + ", otherDays=" + otherDays);
    }
  }

  /// Whether what a tenant has of `day` is to go.
  ///
  /// @param atLeastDays what it stays however short the tenant's retention is
  boolean isOver(String tenant, LocalDate day, LocalDate today, int atLeastDays) {
    int kept = days.getOrDefault(tenant, otherDays);
    return kept > 0 && day.plusDays(Math.max(kept, atLeastDays)).isBefore(today);
  }

  /// Whether anything of `day` may have to go.
  boolean mayBeOver(LocalDate day, LocalDate today) {
    return isShorter(otherDays, day, today)
        || days.values().stream().anyMatch(each -> isShorter(each, day, today));
  }

  private static boolean isShorter(int kept, LocalDate day, LocalDate today) {
    return kept > 0 && day.plusDays(kept).isBefore(today);
  }

  /// Whether nothing ever goes.
  public boolean isForEver() {
    return otherDays == 0 && days.values().stream().allMatch(each -> each == 0);
  }
}
