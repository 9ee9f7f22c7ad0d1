package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import io.headspan.agent.interference.MatrixSnapshot;
import io.headspan.agent.interference.MatrixSnapshot.Cell;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class MatrixMetricsTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final MatrixMetrics metrics = new MatrixMetrics(registry);

  @Test
  void keepsWhatNobodyElseTookApartFromWhatCulpritsTook() {
    metrics.refresh(
        new MatrixSnapshot(1, List.of(new Cell("acme", "bravo", 1_000_000_000, 1))),
        MatrixSnapshot.EMPTY);
    metrics.refresh(
        new MatrixSnapshot(
            2,
            List.of(
                new Cell("acme", "bravo", 2_000_000_000, 2),
                new Cell("acme", "{host}", 500_000_000, 2),
                new Cell("acme", "acme", 9_000_000_000L, 4),
                new Cell("acme", "{idle}", 3_000_000_000L, 8),
                new Cell("{host}", "{host}", 7_000_000_000L, 8))),
        new MatrixSnapshot(
            2,
            List.of(
                new Cell("acme", "bravo", 250_000_000, 0),
                new Cell("acme", "acme", 1_000_000_000, 0))));
    assertThat(seconds("headspan.agent.runqueue.wait"))
        .containsOnly(
            entry("culprit=bravo victim=acme", 2.0), entry("culprit={host} victim=acme", 0.5));
    assertThat(seconds("headspan.agent.runqueue.unassigned"))
        .containsOnly(entry("culprit=bravo victim=acme", 0.25));
    assertThat(seconds("headspan.agent.own.wait"))
        .containsOnly(
            entry("reason=own_load tenant=acme", 9.0),
            entry("reason=idle tenant=acme", 3.0),
            entry("reason=own_load tenant={host}", 7.0));
  }

  private Map<String, Double> seconds(String name) {
    return registry.find(name).functionCounters().stream()
        .collect(
            Collectors.toMap(
                counter ->
                    counter.getId().getTags().stream()
                        .map(tag -> tag.getKey() + "=" + tag.getValue())
                        .collect(Collectors.joining(" ")),
                counter -> counter.count()));
  }
}
