package io.headspan.agent.governor;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has the use measured once a second and the level followed: each change is logged once, with what
/// it costs the user.
public final class Detail {
  private static final Logger LOG = LoggerFactory.getLogger(Detail.class);
  private static final long EVERY_NS = TimeUnit.SECONDS.toNanos(1);

  private final Governor governor;
  private final OwnUse use;
  private final Consumer<DetailLevel> follower;
  private volatile DetailLevel level = DetailLevel.FULL;
  private volatile Use lastUse = new Use(0, 0);
  private long measuredNs;

  /// Begins with full detail.
  ///
  /// @param alone whether the agent is all that there is in this process
  /// @param follower is told of each change, by the thread that polls
  public Detail(Budget budget, boolean alone, Consumer<DetailLevel> follower, long nowNs) {
    governor = new Governor(budget, nowNs);
    use = new OwnUse(alone, nowNs);
    this.follower = follower;
    measuredNs = nowNs;
  }

  /// Adds `headspan_agent_detail_level`, 0 being full detail, and what is measured.
  public void register(MeterRegistry registry) {
    Gauge.builder("headspan_agent_detail_level", () -> level.number())
        .description("Detail that is given up to keep within budgets: 0 none, 4 most")
        .register(registry);
    Gauge.builder("headspan_agent_cpu_cores", () -> lastUse.cores())
        .description("Processors that the agent used in the last second")
        .register(registry);
    Gauge.builder("headspan_agent_live_memory_bytes", () -> lastUse.memoryBytes())
        .description("Memory of what lives: heap after collections, and outside of it")
        .register(registry);
  }

  /// To be called often; does something once a second.
  public void poll(long nowNs) {
    if (nowNs - measuredNs < EVERY_NS) {
      return;
    }
    measuredNs = nowNs;
    Use measured = use.measure(nowNs);
    lastUse = measured;
    DetailLevel before = level;
    DetailLevel now = governor.decide(measured, nowNs);
    if (now != before) {
      level = now;
      LOG.warn(
          "{}: level={}, {}; cores={}, memoryMib={}, budgetShare={}",
          now.number() > before.number()
              ? "Detail is lowered to keep within the budget"
              : "Detail is raised again",
          now,
          now.cost(),
          "%.3f".formatted(measured.cores()),
          measured.memoryBytes() >> 20,
          "%.2f".formatted(governor.share(measured)));
      follower.accept(now);
    }
  }

  /// Any thread.
  public DetailLevel level() {
    return level;
  }
}
