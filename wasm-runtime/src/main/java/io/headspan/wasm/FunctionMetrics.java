package io.headspan.wasm;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/// The meters of one function, over all of its versions. They are removed with it.
final class FunctionMetrics {
  private record Ending(String outcome, String reason) {}

  private final MeterRegistry registry;
  private final Tags tags;
  private final ConcurrentHashMap<Ending, Counter> invocations = new ConcurrentHashMap<>();
  private final LongAdder cpuNs = new LongAdder();
  private final LongAdder hostCalls = new LongAdder();
  private final Timer duration;
  private final Timer queued;
  private final DistributionSummary peakPages;
  private final DistributionSummary residentBytes;
  private final List<Meter> meters = new ArrayList<>();
  private volatile boolean removed;

  FunctionMetrics(MeterRegistry registry, FunctionName function) {
    this.registry = registry;
    this.tags = Tags.of("tenant", function.tenant(), "function", function.name());
    this.duration =
        Timer.builder("headspan.wasm.invocation")
            .description("Time that guests ran, per invocation")
            .tags(tags)
            .serviceLevelObjectives(
                Duration.ofNanos(100_000),
                Duration.ofMillis(1),
                Duration.ofMillis(10),
                Duration.ofMillis(100),
                Duration.ofSeconds(1),
                Duration.ofSeconds(10))
            .register(registry);
    this.queued =
        Timer.builder("headspan.wasm.queue")
            .description("Time that invocations waited for a thread")
            .tags(tags)
            .register(registry);
    this.peakPages =
        DistributionSummary.builder("headspan.wasm.memory.peak")
            .description("Memory at the end of invocations, in pages of 64 KiB")
            .baseUnit("pages")
            .tags(tags)
            .register(registry);
    this.residentBytes =
        DistributionSummary.builder("headspan.wasm.memory.written")
            .description("Memory that invocations wrote, in steps of 4 KiB")
            .baseUnit("bytes")
            .tags(tags)
            .register(registry);
    meters.addAll(List.of(duration, queued, peakPages, residentBytes));
    meters.add(
        FunctionCounter.builder("headspan.wasm.cpu", cpuNs, a -> a.doubleValue() / 1e9)
            .description("Processor time of guests")
            .baseUnit("seconds")
            .tags(tags)
            .register(registry));
    meters.add(
        FunctionCounter.builder("headspan.wasm.host.calls", hostCalls, LongAdder::doubleValue)
            .description("Calls of guests into the host")
            .tags(tags)
            .register(registry));
  }

  void record(InvocationResult result, Metering metering) {
    if (removed) {
      return;
    }
    invocations
        .computeIfAbsent(new Ending(result.outcome(), result.reason()), this::counter)
        .increment();
    if (metering.wasRun()) {
      duration.record(Duration.ofNanos(metering.wallNs()));
      queued.record(Duration.ofNanos(metering.queueNs()));
      peakPages.record(metering.peakPages());
      residentBytes.record((double) metering.writtenBytes());
      cpuNs.add(metering.cpuNs());
      hostCalls.add(metering.hostCalls());
    }
  }

  /// Invocations that still run are not counted any more.
  void remove() {
    removed = true;
    meters.forEach(registry::remove);
    invocations.values().forEach(registry::remove);
  }

  private Counter counter(Ending ending) {
    return Counter.builder("headspan.wasm.invocations")
        .description("Invocations by how they ended")
        .tags(tags)
        .tags("outcome", ending.outcome(), "reason", ending.reason())
        .register(registry);
  }
}
