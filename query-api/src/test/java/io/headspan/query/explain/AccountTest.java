package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AccountTest {
  @Test
  void stolenTimeBeforeThePickupIsNoQueueTime() {
    // A woken thread waited 20 for its CPU, read the request at 21, worked for 5.
    Invocation invocation = invocation(26, 21, 5, 20, 0, 0, List.of());
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(Cause.CPU, 5.0, Cause.QUEUE, 1.0, Cause.stolen("bravo"), 20.0));
  }

  @Test
  void stolenTimeAfterThePickupLeavesTheQueueTimeAsItIs() {
    Invocation invocation = invocation(50, 21, 5, 20, 0, 4, List.of());
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                Cause.CPU,
                5.0,
                Cause.QUEUE,
                21.0,
                Cause.stolen("bravo"),
                20.0,
                Cause.BLOCKED,
                4.0));
  }

  @Test
  void aCallIsNoBlockedTime() {
    Call call = call("db", "SELECT", 10, 40, false);
    Invocation invocation = invocation(50, 0, 5, 0, 0, 42, List.of(call));
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(Cause.CPU, 5.0, Cause.call(call), 30.0, Cause.BLOCKED, 12.0, Cause.REST, 3.0));
  }

  @Test
  void withoutBlockedTimeCallsTakeWhatIsLeft() {
    Call call = call("db", "SELECT", 0, 50, false);
    Invocation invocation = invocation(50, 0, 35, 0, 0, Invocation.UNKNOWN, List.of(call));
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(Map.of(Cause.CPU, 35.0, Cause.call(call), 15.0));
  }

  @Test
  void aFailedCallThatWasRepeatedIsARetry() {
    Call first = call("db", "SELECT", 0, 10, true);
    Call second = call("db", "SELECT", 20, 25, true);
    Invocation invocation = invocation(25, 0, 0, 0, 0, 25, List.of(first, second));
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(Cause.retry(first), 10.0, Cause.failed(second), 5.0, Cause.BLOCKED, 10.0));
    assertThat(invocation.retries()).isEqualTo(1);
  }

  @Test
  void severalThreadsAtATimeLeaveANegativeRest() {
    Invocation invocation = invocation(10, 0, 18, 0, 0, Invocation.UNKNOWN, List.of());
    assertThat(Account.of(invocation).causes()).containsEntry(Cause.REST, -8.0);
  }

  @Test
  void ofParallelCallsTheLastToEndCounts() {
    Call longCall = call("a", "", 0, 60, false);
    Call within = call("b", "", 10, 30, false);
    Call last = call("c", "", 50, 200, false);
    Invocation invocation = invocation(100, 0, 0, 0, 0, 100, List.of(longCall, within, last));
    assertThat(CriticalCalls.of(invocation))
        .containsExactly(new CriticalCalls.Part(last, 50), new CriticalCalls.Part(longCall, 50));
  }

  @Test
  void causesAddUpToTheDuration() {
    Random random = new Random(4);
    for (int i = 0; i < 10_000; i++) {
      List<Call> calls = new ArrayList<>();
      for (int call = random.nextInt(4); call > 0; call--) {
        long start = random.nextLong(120) - 10;
        calls.add(
            call(
                "s" + random.nextInt(2),
                "",
                start,
                start + random.nextLong(60),
                random.nextBoolean()));
      }
      Invocation invocation =
          invocation(
              random.nextLong(100),
              random.nextLong(60),
              random.nextLong(60),
              random.nextLong(60),
              random.nextLong(30),
              random.nextLong(60) - 1,
              calls);
      Map<Cause, Double> account = Account.of(invocation).causes();
      assertThat(account.values().stream().mapToDouble(Double::doubleValue).sum())
          .as("%s", invocation)
          .isCloseTo((double) invocation.durationNs(), within(1e-6));
      account.forEach((cause, ns) ->
          assertThat(cause.equals(Cause.REST) || ns > 0).as("%s=%s", cause, ns).isTrue());
    }
  }

  @Test
  void theCulpritIsNotChargedWithWhatOthersTook() {
    Invocation invocation =
        new Invocation("0", 0, 30, "1", true, 0, 0, 30, "bravo", 18, 0, 0, false, List.of(), 1);
    assertThat(Account.of(invocation).causes())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(Cause.stolen("bravo"), 18.0, Cause.stolenByOthers(), 12.0));
  }

  private static Call call(
      String service, String operation, long startNs, long endNs, boolean failed) {
    return new Call(service, operation, startNs, endNs, failed, "", null);
  }

  private static Invocation invocation(
      long durationNs,
      long queueNs,
      long cpuNs,
      long stolenNs,
      long throttledNs,
      long blockedNs,
      List<Call> calls) {
    return new Invocation(
        "0",
        0,
        durationNs,
        "1",
        true,
        queueNs,
        cpuNs,
        stolenNs,
        "bravo",
        Invocation.UNKNOWN,
        throttledNs,
        blockedNs,
        false,
        calls,
        1);
  }
}
