package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.Await;
import org.junit.jupiter.api.Test;

class StoreMonitorTest {
  private final FakeStore store = new FakeStore();

  @Test
  void isReadyOnceTheSchemaIsThere() {
    try (StoreMonitor monitor = StoreMonitor.start(store)) {
      Await.until("ready", () -> monitor.notReadyReason().isEmpty());
      assertThat(store.migrations()).isEqualTo(1);
    }
  }

  @Test
  void waitsForAStoreThatComesLater() {
    store.setAway(true);
    try (StoreMonitor monitor = StoreMonitor.start(store)) {
      Await.until("the reason", () -> reason(monitor).equals("store is away"));

      store.setAway(false);

      Await.until("ready", () -> monitor.notReadyReason().isEmpty());
    }
  }

  @Test
  void noticesThatTheStoreIsGoneAndSetsItUpAgainWhenItIsBack() {
    try (StoreMonitor monitor = StoreMonitor.start(store)) {
      Await.until("ready", () -> monitor.notReadyReason().isEmpty());

      store.setAway(true);
      monitor.suspect();
      Await.until("not ready", () -> monitor.notReadyReason().isPresent());
      store.setAway(false);

      Await.until("ready again", () -> monitor.notReadyReason().isEmpty());
      assertThat(store.migrations()).isEqualTo(2);
    }
  }

  @Test
  void isNotReadyAfterClose() {
    StoreMonitor monitor = StoreMonitor.start(store);
    Await.until("ready", () -> monitor.notReadyReason().isEmpty());

    monitor.close();

    assertThat(monitor.notReadyReason()).contains("the collector is closing");
  }

  private static String reason(StoreMonitor monitor) {
    return monitor.notReadyReason().orElse("");
  }
}
