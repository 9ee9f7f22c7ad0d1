package io.headspan.collector.sampling;

import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/// How much comes of each key in a second: a moving average, weighted exponentially by age. What
/// comes of a sudden counts at once, so that a burst is not taken for the average before it.
///
/// No rate depends on what is done with what is counted, nor on its id; so a share taken by a hash
/// of the id has a known probability.
final class KeyRates {
  /// What comes more rarely, per second, is forgotten.
  private static final double FORGOTTEN = 1e-3;

  /// Stands for all keys beyond the limit.
  private static final List<String> OTHERS = List.of();

  private final double decay;
  private final int maxKeys;
  private final LongSupplier epochSecond;
  private final Map<List<String>, Rate> rates = new HashMap<>();
  private long second;

  private static final class Rate {
    private double average;

    /// How much of the average's weight is of seconds that were counted.
    private double weight;

    private double lastSecond;
    private double thisSecond;

    private void pass(long seconds, double decay) {
      average = average * decay + thisSecond * (1 - decay);
      weight = weight * decay + 1 - decay;
      double rest = Math.pow(decay, (double) seconds - 1);
      average *= rest;
      weight = weight * rest + 1 - rest;
      lastSecond = seconds == 1 ? thisSecond : 0;
      thisSecond = 0;
    }

    private double perSecond() {
      double mean = weight > 0 ? average / weight : 0;
      return Math.max(mean, Math.max(lastSecond, thisSecond));
    }
  }

  /// @param halfLifeSeconds after which a second counts half as much
  /// @param maxKeys the most keys to be told apart; the others share a rate
  KeyRates(double halfLifeSeconds, int maxKeys, LongSupplier epochSecond) {
    decay = Math.pow(0.5, 1 / halfLifeSeconds);
    this.maxKeys = maxKeys;
    this.epochSecond = epochSecond;
    second = epochSecond.getAsLong();
  }

  /// Counts `amount` more of a key; returns the key's rate, per second.
  double count(List<String> key, double amount) {
    long now = epochSecond.getAsLong();
    // What is decided late counts with the second that is.
    if (now > second) {
      pass(now - second);
      second = now;
    }
    Rate rate = rates.get(key);
    if (rate == null) {
      rate = rates.computeIfAbsent(rates.size() < maxKeys ? key : OTHERS, _ -> new Rate());
    }
    rate.thisSecond += amount;
    return rate.perSecond();
  }

  private void pass(long seconds) {
    Iterator<Rate> each = rates.values().iterator();
    while (each.hasNext()) {
      Rate rate = each.next();
      rate.pass(seconds, decay);
      if (rate.average < FORGOTTEN) {
        each.remove();
      }
    }
  }
}
