package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class DeepSampleTest {
  @Test
  void aCallIsWhatItsCalleeWaitedFor() {
    Invocation stock = invocation(20, 2, 18, List.of());
    Call toStock = call("stock", 5, 27, stock);
    Invocation cart = invocation(30, 5, 3, List.of(toStock));
    Call toCart = call("cart", 10, 50, cart);
    Invocation shop = invocation(60, 20, 0, List.of(toCart));

    Cause cartCall = Cause.call(toCart);
    Cause stockCall = cartCall.through(Cause.call(toStock));
    Cause stolen = cartCall.through(Cause.call(toStock).through(Cause.stolen("bravo")));
    assertThat(account(shop))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                Cause.CPU,
                20.0,
                // To the cart and back.
                cartCall,
                10.0,
                cartCall.through(Cause.CPU),
                5.0,
                cartCall.through(Cause.stolen("bravo")),
                3.0,
                stockCall,
                2.0,
                cartCall.through(Cause.call(toStock).through(Cause.CPU)),
                2.0,
                stolen,
                18.0));
    assertThat(stolen.text())
        .isEqualTo("CPU time taken from stock (GET /) by tenant bravo, through cart (GET /)");
    assertThat(stockCall.text()).isEqualTo("calls from cart (GET /) to stock (GET /)");
  }

  @Test
  void onlyThePartOfACallThatWasWaitedForCounts() {
    Call first = call("a", 0, 60, invocation(60, 60, 0, List.of()));
    Call last = call("b", 30, 90, invocation(60, 60, 0, List.of()));
    assertThat(account(invocation(90, 0, 0, List.of(first, last))))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                Cause.call(first).through(Cause.CPU), 30.0,
                Cause.call(last).through(Cause.CPU), 60.0));
  }

  @Test
  void aFailedCallIsAFailureWhateverItsCalleeDid() {
    Call deepest = new Call("db", "GET /", 10, 30, true, "503", null);
    Invocation cart = invocation(40, 5, 0, List.of(deepest));
    Call toCart = new Call("cart", "GET /", 0, 40, true, "502", cart);
    Cause failed = Cause.failed(toCart);
    Cause atDb = failed.through(Cause.failed(deepest));
    assertThat(account(invocation(40, 0, 0, List.of(toCart))))
        .containsExactlyInAnyOrderEntriesOf(Map.of(failed, 20.0, atDb, 20.0));
    assertThat(failed.text()).isEqualTo("failed calls to cart (GET /): 502");
    assertThat(atDb.text()).isEqualTo("failed calls from cart (GET /) to db (GET /): 503");
  }

  @Test
  void aCalleeOfAnotherClockCountsByHowLongItTook() {
    Invocation late =
        new Invocation("0", 1_000_000, 30, "1", true, 0, 30, 0, "", -1, 0, 0, false, List.of(), 1);
    Call call = call("a", 0, 40, late);
    assertThat(account(invocation(40, 0, 0, List.of(call))))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(Cause.call(call), 10.0, Cause.call(call).through(Cause.CPU), 30.0));
  }

  @Test
  void coldStartsAreFoundByRole() {
    List<Invocation> invocations = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      boolean cold = i == 19;
      long calleeNs = cold ? 500 : 10;
      Invocation callee =
          new Invocation(
              "0", 0, calleeNs, "1", true, 0, calleeNs, 0, "", -1, 0, 0, cold, List.of(), 1);
      invocations.add(invocation(calleeNs, 0, 0, List.of(call("a", 0, calleeNs, callee))));
    }
    DeepSample sample = DeepSample.of(invocations);
    Sample whole = sample.map((role, each) -> each.withColdStarts(sample.role(role))).whole();
    Cause call = Cause.call(call("a", 0, 1, null));
    assertThat(whole.accounts().getLast())
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(call.through(Cause.CPU), 10.0, call.through(Cause.COLD_START), 490.0));
  }

  @Test
  void causesAddUpToTheDuration() {
    Random random = new Random(5);
    for (int i = 0; i < 2_000; i++) {
      Invocation invocation = random(random, 4);
      assertThat(account(invocation).values().stream().mapToDouble(Double::doubleValue).sum())
          .as("%s", invocation)
          .isCloseTo((double) invocation.durationNs(), within(1e-6));
    }
  }

  @Test
  void callsBeyondNumberAreToldOfByService() {
    List<Invocation> invocations = new ArrayList<>();
    for (int i = 0; i < 3 * Difference.CAUSES; i++) {
      Call call = new Call("a", "GET /" + i, 0, 10, false, "", null);
      invocations.add(invocation(15, 5, 0, List.of(call)));
    }
    Sample sample = DeepSample.of(invocations).whole();
    Difference difference = Difference.between(sample, new Sample(List.of(), List.of()), 0, true);
    assertThat(difference.components()).hasSize(Difference.CAUSES + 1);
    assertThat(difference.components().getFirst().cause())
        .isEqualTo(Cause.call(new Call("a", "", 0, 1, false, "", null)));
    assertThat(difference.components().stream().mapToDouble(Component::addedNs).sum())
        .isCloseTo(15, within(1e-9));
  }

  private static Invocation random(Random random, int hops) {
    List<Call> calls = new ArrayList<>();
    for (int call = hops == 0 ? 0 : random.nextInt(4); call > 0; call--) {
      long start = random.nextLong(120) - 10;
      calls.add(
          new Call(
              "s" + random.nextInt(2),
              "",
              start,
              start + random.nextLong(60),
              random.nextBoolean(),
              "",
              random.nextBoolean() ? random(random, hops - 1) : null));
    }
    return new Invocation(
        "0",
        0,
        random.nextLong(100),
        "1",
        true,
        random.nextLong(60),
        random.nextLong(60),
        random.nextLong(60),
        "bravo",
        random.nextLong(60) - 1,
        random.nextLong(30),
        random.nextLong(60) - 1,
        false,
        calls,
        1);
  }

  private static Map<Cause, Double> account(Invocation invocation) {
    return DeepSample.of(List.of(invocation)).whole().accounts().getFirst();
  }

  private static Call call(String service, long startNs, long endNs, @Nullable Invocation callee) {
    return new Call(service, "GET /", startNs, endNs, false, "", callee);
  }

  private static Invocation invocation(
      long durationNs, long cpuNs, long stolenNs, List<Call> calls) {
    return new Invocation(
        "0", 0, durationNs, "1", true, 0, cpuNs, stolenNs, "bravo", -1, 0, -1, false, calls, 1);
  }
}
