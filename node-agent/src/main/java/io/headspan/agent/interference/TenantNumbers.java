package io.headspan.agent.interference;

import io.headspan.agent.probe.sched.TenantNumber;
import io.headspan.wire.signal.NodeSignal;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// The numbers that stand for tenants in the kernel, given out as tenants become known and never
/// again for another one. Any thread.
///
/// Those that are no tenants have names that no tenant can have, in braces.
final class TenantNumbers {
  static final String UNKNOWN = "{unknown}";
  static final String IDLE = NodeSignal.Interference.IDLE;
  static final String KERNEL = "{kernel}";
  static final String HOST = "{host}";
  static final String UNTENANTED = "{untenanted}";

  private static final int NAMES_MAX = 1 << 16;

  private final Map<String, Integer> numbers = new ConcurrentHashMap<>();
  private final Map<Integer, String> names = new ConcurrentHashMap<>();
  private final AtomicInteger next = new AtomicInteger(TenantNumber.FIRST);

  /// The number of a container's tenant.
  ///
  /// @param tenant as the platform named it, or null if it did not
  int of(@Nullable String tenant) {
    if (tenant == null) {
      return TenantNumber.UNTENANTED;
    }
    if (names.size() >= NAMES_MAX) {
      return numbers.getOrDefault(tenant, TenantNumber.UNKNOWN);
    }
    return numbers.computeIfAbsent(
        tenant,
        name -> {
          int number = next.getAndIncrement();
          names.put(number, name);
          return number;
        });
  }

  String name(int number) {
    return switch (number) {
      case TenantNumber.IDLE -> IDLE;
      case TenantNumber.KERNEL -> KERNEL;
      case TenantNumber.HOST -> HOST;
      case TenantNumber.UNTENANTED -> UNTENANTED;
      default -> names.getOrDefault(number, UNKNOWN);
    };
  }
}
