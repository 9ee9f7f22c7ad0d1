package io.headspan.collector.edge;

import io.headspan.storage.Retention;
import io.headspan.storage.StoreAddress;
import io.headspan.wire.config.Section;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;

/// The file that says of each tenant what it may send, in which region it is stored, and for how
/// long.
///
/// @param limits by tenant
/// @param others of tenants that are not named
/// @param regions by tenant; a tenant that is not there is stored where the collector's own store
///   is
/// @param stores by region
/// @param days how long what is stored of a tenant stays, of those for which it is given
/// @param otherDays of tenants that are not named, if it is given
public record TenantRules(
    Map<String, TenantLimits> limits,
    TenantLimits others,
    Map<String, String> regions,
    Map<String, StoreAddress> stores,
    Map<String, Integer> days,
    OptionalInt otherDays) {
  /// Everything may come, and goes to one store.
  public static final TenantRules NONE =
      new TenantRules(
          Map.of(), TenantLimits.NONE, Map.of(), Map.of(), Map.of(), OptionalInt.empty());

  /// Longer than any store lives.
  public static final int DAYS_MAX = 36_500;

  /// The entry of all tenants that have none.
  private static final String OTHERS = "*";

  private static final int KIB = 1024;

  public TenantRules {
    limits = Map.copyOf(limits);
    regions = Map.copyOf(regions);
    days = Map.copyOf(days);
    stores = Collections.unmodifiableMap(new LinkedHashMap<>(stores));
  }

  /// Reads the file.
  ///
  /// @param own the region of the collector's own store
  /// @param asException what to throw with all that is wrong with it
  public static TenantRules read(
      Path file, String own, Function<String, ? extends RuntimeException> asException) {
    Settings settings =
        Settings.of(
            "tenants", SettingSources.of(Map.of("HEADSPAN_TENANTS_CONFIG", file.toString())));
    Map<String, StoreAddress> stores = new LinkedHashMap<>();
    for (Section section : settings.sections("regions")) {
      String name = section.text("name").orElse("");
      Optional<StoreAddress> store = store(section);
      if (name.isEmpty()) {
        section.problem("region without a name");
      } else if (name.equals(own)) {
        section.problem("the collector's own region has the collector's own store: name=" + name);
      } else if (store.isPresent() && stores.put(name, store.get()) != null) {
        section.problem("region given twice: name=" + name);
      }
    }
    Map<String, TenantLimits> limits = new HashMap<>();
    Map<String, String> regions = new HashMap<>();
    Map<String, Integer> days = new HashMap<>();
    List<Section> tenants = settings.sections("tenants");
    if (tenants.isEmpty()) {
      // Also what a file says that is being written.
      settings.secretProblem("tenants", "a file of tenants without any");
    }
    for (Section section : tenants) {
      String name = section.text("name").orElse("");
      Optional<String> region = section.text("region");
      if (name.isEmpty()) {
        section.problem("tenant without a name, which is * for all others");
      } else if (limits.put(name, limits(section)) != null) {
        section.problem("tenant given twice: name=" + name);
      }
      days(section).ifPresent(each -> days.put(name, each));
      if (region.isPresent() && name.equals(OTHERS)) {
        section.problem("all others are stored in the collector's own region");
      } else if (region.isPresent() && !region.get().equals(own)) {
        if (!stores.containsKey(region.get())) {
          section.problem("unknown region: region=" + region.get());
        }
        regions.put(name, region.get());
      }
    }
    settings.finish("the file of tenants", asException);
    TenantLimits others = limits.getOrDefault(OTHERS, TenantLimits.NONE);
    limits.remove(OTHERS);
    Integer otherDays = days.remove(OTHERS);
    return new TenantRules(
        limits,
        others,
        regions,
        stores,
        days,
        otherDays == null ? OptionalInt.empty() : OptionalInt.of(otherDays));
  }

  private static Optional<StoreAddress> store(Section section) {
    Optional<String> address = section.text("store");
    Optional<String> file = section.text("store_file");
    if (address.isPresent() == file.isPresent()) {
      section.problem("a region has either store or store_file, a file with the address");
      return Optional.empty();
    }
    try {
      return Optional.of(
          StoreAddress.parse(
              address.isPresent() ? address.get() : Files.readString(Path.of(file.get())).strip()));
    } catch (IllegalArgumentException e) {
      section.problem(String.valueOf(e.getMessage()));
    } catch (IOException e) {
      section.problem("store_file cannot be read: file=" + file.orElse("") + ", reason=" + e);
    }
    return Optional.empty();
  }

  private static TenantLimits limits(Section section) {
    return new TenantLimits(
        number(section, "spans_per_second"),
        number(section, "log_records_per_second"),
        number(section, "data_points_per_second"),
        KIB * number(section, "kib_per_second"),
        burst(section),
        (int) Math.ceil(number(section, "attributes")),
        (int) Math.ceil(KIB * number(section, "value_kib")),
        (int) Math.ceil(KIB * number(section, "record_kib")));
  }

  /// 0 if it is not given.
  private static double number(Section section, String key) {
    Optional<String> text = section.text(key);
    if (text.isEmpty()) {
      return 0;
    }
    double number =
        text.get().matches("[0-9]{1,9}(\\.[0-9]{1,6})?") ? Double.parseDouble(text.get()) : 0;
    if (number == 0) {
      section.problem(key + " is no number above 0 and below 1000000000");
    }
    return number;
  }

  private static OptionalInt days(Section section) {
    Optional<String> text = section.text("retention_days");
    if (text.isEmpty()) {
      return OptionalInt.empty();
    }
    int days = text.get().matches("[0-9]{1,5}") ? Integer.parseInt(text.get()) : -1;
    if (days < 0 || days > DAYS_MAX) {
      section.problem("retention_days is no number from 0, for ever, to " + DAYS_MAX);
      return OptionalInt.empty();
    }
    return OptionalInt.of(days);
  }

  private static Duration burst(Section section) {
    Optional<String> text = section.text("burst");
    if (text.isEmpty()) {
      return TenantLimits.NONE.burst();
    }
    Duration burst = Settings.parseDuration(text.get());
    if (burst == null || burst.isZero()) {
      section.problem("burst is no duration above 0, such as 60s");
      return TenantLimits.NONE.burst();
    }
    return burst;
  }

  TenantLimits limitsOf(String tenant) {
    return limits.getOrDefault(tenant, others);
  }

  /// How long what is stored stays.
  ///
  /// @param defaultDays of tenants for which the file says nothing; 0 for ever
  public Retention retention(int defaultDays) {
    return new Retention(days, otherDays.orElse(defaultDays));
  }

  /// The region that a tenant is stored in; "" for the collector's own.
  public String regionOf(String tenant) {
    return regions.getOrDefault(tenant, "");
  }

  /// Whether anything is limited.
  boolean hasLimits() {
    return isLimit(others) || limits.values().stream().anyMatch(TenantRules::isLimit);
  }

  private static boolean isLimit(TenantLimits limits) {
    return limits.hasRates() || limits.hasSizes();
  }
}
