package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class InFlightTest {
  private final InFlight inFlight = new InFlight(100);
  private final List<String> ran = new ArrayList<>();

  @Test
  void runsAtOnceBelowTheLimit() {
    inFlight.reserve(99);

    InFlight.Waiter waiter = inFlight.whenBelowLimit(() -> ran.add("a"));

    assertThat(ran).containsExactly("a");
    assertThat(waiter.isWaiting()).isFalse();
  }

  @Test
  void waitsAtTheLimitAndRunsInOrderWhenBytesAreReleased() {
    InFlight.Reservation first = inFlight.reserve(60);
    InFlight.Reservation second = inFlight.reserve(60);
    inFlight.whenBelowLimit(() -> ran.add("a"));
    inFlight.whenBelowLimit(() -> ran.add("b"));

    second.resize(40);
    assertThat(ran).isEmpty();

    first.close();
    assertThat(ran).containsExactly("a", "b");
    assertThat(inFlight.bytes()).isEqualTo(40);
  }

  @Test
  void aWithdrawnActionNeverRuns() {
    InFlight.Reservation all = inFlight.reserve(100);
    InFlight.Waiter waiter = inFlight.whenBelowLimit(() -> ran.add("a"));

    assertThat(waiter.withdraw()).isTrue();
    assertThat(waiter.withdraw()).isFalse();
    all.close();

    assertThat(ran).isEmpty();
  }

  @Test
  void closingAReservationAgainChangesNothing() {
    InFlight.Reservation reservation = inFlight.reserve(10);
    inFlight.reserve(5);

    reservation.close();
    reservation.close();

    assertThat(inFlight.bytes()).isEqualTo(5);
  }

  @Test
  void actionsThatReserveMayWaitAgain() {
    InFlight.Reservation all = inFlight.reserve(100);
    inFlight.whenBelowLimit(() -> {
      inFlight.reserve(100);
      inFlight.whenBelowLimit(() -> ran.add("late"));
    });

    all.close();

    assertThat(ran).isEmpty();
    assertThat(inFlight.bytes()).isEqualTo(100);
  }
}
