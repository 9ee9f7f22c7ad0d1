package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.storage.SdkSpans.Candidate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// A function whose requests carried no context; its SDK began the trace. Times in milliseconds.
class SdkSpansTest {
  private static final int SERVER = 2;
  private static final int CLIENT = 3;

  private static final Candidate<String> SERVED_BY_SDK =
      span("sdk", false, SERVER, 0x5d, 0, 0, "shop", 101, 190);

  @Test
  void joinsARequestWithoutContextWithTheTraceThatItsSdkBegan() {
    assertThat(
            joined(
                List.of(
                    span("agent", true, SERVER, 0xa1, 0, 0, "shop", 100, 200),
                    span("call", true, CLIENT, 0xa2, 0xa1, 0x5e, "shop", 120, 150))))
        .containsExactly(Map.entry("sdk", "agent"));
  }

  /// It came from a call of another function on the node, which carried nothing either.
  @Test
  void joinsARequestWithoutContextThatHasACapturedCaller() {
    assertThat(
            joined(
                List.of(
                    span("caller", true, CLIENT, 0xc1, 0, 0, "front", 90, 210),
                    span("agent", true, SERVER, 0xa1, 0xc1, 0, "shop", 100, 200))))
        .containsExactly(Map.entry("sdk", "agent"));
  }

  @Test
  void keepsARequestApartThatCarriedAContext() {
    assertThat(joined(List.of(span("named", true, SERVER, 0xa1, 0xc9, 0, "shop", 100, 200))))
        .isEmpty();
    assertThat(
            joined(
                List.of(
                    span("caller", true, CLIENT, 0xc1, 0, 0, "front", 90, 210),
                    span("agent", true, SERVER, 0xa1, 0xc1, 0xc9, "shop", 100, 200))))
        .isEmpty();
  }

  @Test
  void keepsRequestsApartThatDoNotContainTheSdksSpanOrBothDo() {
    Candidate<String> later = span("later", true, SERVER, 0xa2, 0, 0, "shop", 300, 400);
    assertThat(joined(List.of(later))).isEmpty();
    assertThat(
            joined(
                List.of(
                    span("one", true, SERVER, 0xa1, 0, 0, "shop", 100, 200),
                    span("other", true, SERVER, 0xa3, 0, 0, "shop", 99, 195))))
        .isEmpty();
    assertThat(joined(List.of(span("pay", true, SERVER, 0xa1, 0, 0, "pay", 100, 200)))).isEmpty();
  }

  /// The SDK's span and these.
  private static Map<String, String> joined(List<Candidate<String>> others) {
    List<Candidate<String>> spans = new ArrayList<>(others);
    spans.add(SERVED_BY_SDK);
    SdkSpans.Joined<String> joined = SdkSpans.join(spans);
    Map<String, String> places = new HashMap<>();
    joined.joined().forEach((place, partner) -> places.put(place, partner.place()));
    return places;
  }

  private static Candidate<String> span(
      String place,
      boolean captured,
      int kind,
      long spanId,
      long parentId,
      long headerParentId,
      String service,
      long startMillis,
      long endMillis) {
    return new Candidate<>(
        place,
        captured,
        kind,
        spanId,
        parentId,
        headerParentId,
        captured ? "acme" : "",
        service,
        TimeUnit.MILLISECONDS.toNanos(startMillis),
        TimeUnit.MILLISECONDS.toNanos(endMillis));
  }
}
