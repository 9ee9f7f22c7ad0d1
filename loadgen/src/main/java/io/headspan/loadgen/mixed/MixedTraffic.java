package io.headspan.loadgen.mixed;

import com.linecorp.armeria.client.ClientFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.ConcurrentHistogram;

/// Sends numbered requests ([MixedRequest]) to a [MixedService] at a fixed rate.
///
/// Arguments: `--target HOST:PORT`, `--prefix HEX` (16 digits, the upper half of all trace ids),
/// `--requests N`, `--rate N` (per second).
///
/// Ends with the line `requests=N seconds=S p50_us=P p99_us=P errors=N`, of which the requests are
/// those answered with success.
public final class MixedTraffic {
  /// More are not under way: the rate falls before the machine drowns.
  private static final int AT_ONCE = 512;

  private static final long LONGEST_NS = 60_000_000_000L;

  private final Call call;
  private final String prefix;
  private final Semaphore room = new Semaphore(AT_ONCE);
  private final LongAdder errors = new LongAdder();
  private final ConcurrentHistogram latenciesNs = new ConcurrentHistogram(LONGEST_NS, 3);

  private MixedTraffic(Call call, String prefix) {
    this.call = call;
    this.prefix = prefix;
  }

  public static void main(String[] arguments) throws InterruptedException {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i], arguments[i + 1]);
    }
    long requests = Long.parseLong(required(options, "--requests"));
    long gapNs = 1_000_000_000L / Long.parseLong(required(options, "--rate"));
    try (ClientFactory factory = ClientFactory.builder().build()) {
      MixedTraffic traffic =
          new MixedTraffic(
              new Call(factory, required(options, "--target")), required(options, "--prefix"));
      long beganNs = System.nanoTime();
      traffic.send(requests, gapNs);
      double seconds = (System.nanoTime() - beganNs) / 1e9;
      System.out.printf(
          "requests=%d seconds=%.6f p50_us=%.1f p99_us=%.1f errors=%d%n",
          traffic.latenciesNs.getTotalCount(),
          seconds,
          traffic.latenciesNs.getValueAtPercentile(50) / 1e3,
          traffic.latenciesNs.getValueAtPercentile(99) / 1e3,
          traffic.errors.sum());
    }
  }

  private static String required(Map<String, String> options, String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException("missing option: " + name);
    }
    return value;
  }

  private void send(long requests, long gapNs) throws InterruptedException {
    long startedNs = System.nanoTime();
    for (long number = 0; number < requests; number++) {
      long dueNs = startedNs + number * gapNs;
      for (long left = dueNs - System.nanoTime(); left > 0; left = dueNs - System.nanoTime()) {
        LockSupport.parkNanos(left);
      }
      room.acquire();
      send(new MixedRequest(number));
    }
    room.acquire(AT_ONCE);
  }

  private void send(MixedRequest request) {
    long sentNs = System.nanoTime();
    var _ =
        call.send(request.protocol(), request.traceparent(prefix), request.next())
            .whenComplete((_, failure) -> {
              if (failure == null) {
                latenciesNs.recordValue(Math.min(System.nanoTime() - sentNs, LONGEST_NS));
              } else {
                System.err.println(failure);
                errors.increment();
              }
              room.release();
            });
  }
}
