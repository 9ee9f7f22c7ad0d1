package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.explain.TraceCalls.Inner;
import io.headspan.query.explain.TraceCalls.Served;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TraceCallsTest {
  @Test
  void findsTheInvocationAboveInternalSpans() {
    Inner internal = new Inner("0", 2, 1, false, call("internal"), null);
    Invocation found =
        TraceCalls.of(List.of(internal, inner(3, 2, "a", null))).invocation(served(1), 2);
    assertThat(found.calls()).extracting(Call::service).containsExactly("a");
    assertThat(found.weight()).isEqualTo(2);
  }

  @Test
  void followsCallsThroughTheirCallees() {
    TraceCalls calls =
        TraceCalls.of(List.of(inner(2, 1, "a", served(3)), inner(4, 3, "b", served(5))));
    assertThat(services(calls)).containsExactly("a", "b");
  }

  @Test
  void goesThroughACircleOnce() {
    TraceCalls calls =
        TraceCalls.of(List.of(inner(2, 1, "a", served(3)), inner(4, 3, "b", served(1))));
    assertThat(services(calls)).containsExactly("a", "b");
    TraceCalls itself = TraceCalls.of(List.of(inner(2, 2, "a", served(1))));
    assertThat(itself.invocation(served(2), 1).calls()).hasSize(1);
  }

  @Test
  void goesThroughSpansThatShareAnIdOnce() {
    List<Inner> spans = new ArrayList<>();
    for (int hop = 0; hop < TraceCalls.HOPS; hop++) {
      for (int i = 0; i < 30; i++) {
        spans.add(inner(100 + hop, 1 + hop, "a", served(2 + hop)));
      }
    }
    Invocation at = TraceCalls.of(spans).invocation(served(1), 1);
    for (int hop = 0; hop < TraceCalls.HOPS; hop++) {
      List<Call> followed = at.calls().stream().filter(call -> call.callee() != null).toList();
      assertThat(at.calls()).hasSize(30);
      assertThat(followed).hasSize(1);
      at = callee(followed.getFirst());
    }
  }

  @Test
  void followsSoManyHopsAndNoFurther() {
    List<Inner> spans = new ArrayList<>();
    for (int hop = 0; hop < 2 * TraceCalls.HOPS; hop++) {
      spans.add(inner(100 + hop, 1 + hop, "s" + hop, served(2 + hop)));
    }
    assertThat(services(TraceCalls.of(spans))).hasSize(TraceCalls.HOPS + 1);
  }

  private static List<String> services(TraceCalls calls) {
    List<String> services = new ArrayList<>();
    @Nullable Invocation at = calls.invocation(served(1), 1);
    while (at != null && !at.calls().isEmpty()) {
      Call call = at.calls().getFirst();
      services.add(call.service());
      at = call.callee();
    }
    return services;
  }

  private static Invocation callee(Call call) {
    Invocation callee = call.callee();
    assertThat(callee).isNotNull();
    return callee == null ? served(0).alone() : callee;
  }

  private static Inner inner(long id, long parent, String service, @Nullable Served served) {
    return new Inner("0", id, parent, true, call(service), served);
  }

  private static Call call(String service) {
    return new Call(service, "", 0, 1, false, "", null);
  }

  private static Served served(long id) {
    return new Served(
        id, new Invocation("0", 0, 1, "1", true, 0, 0, 0, "", -1, 0, 0, false, List.of(), 1));
  }
}
