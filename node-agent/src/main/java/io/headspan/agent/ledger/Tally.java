package io.headspan.agent.ledger;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/// Counts by reason, the reasons being the constants of an enum. Any thread.
public final class Tally<E extends Enum<E>> {
  private final Map<E, LongAdder> adders;

  public Tally(Class<E> reasons) {
    adders = new EnumMap<>(reasons);
    for (E reason : reasons.getEnumConstants()) {
      adders.put(reason, new LongAdder());
    }
  }

  /// Counts one.
  public void add(E reason) {
    adder(reason).increment();
  }

  public void add(E reason, long count) {
    adder(reason).add(count);
  }

  public long count(E reason) {
    return adder(reason).sum();
  }

  /// The sum over all reasons.
  public long total() {
    return adders.values().stream().mapToLong(LongAdder::sum).sum();
  }

  private LongAdder adder(E reason) {
    return Objects.requireNonNull(adders.get(reason));
  }
}
