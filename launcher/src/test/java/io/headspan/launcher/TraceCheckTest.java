package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.TraceContext;
import java.util.List;
import org.junit.jupiter.api.Test;

final class TraceCheckTest {
  private static final SentTrace.Hop GATEWAY = new SentTrace.Hop("shop", "gateway", "container");
  private static final SentTrace.Hop PRICE = new SentTrace.Hop("shop", "price", "wasm");
  private static final SentTrace SENT =
      new SentTrace(
          new TraceContext(1, 2, 100, (byte) 1, ""), "chain", List.of(GATEWAY, PRICE), 0, 1, 200);

  @Test
  void acceptsTheTrueTree() {
    assertThat(TraceCheck.problems(SENT, trueTree().build())).isEmpty();
  }

  @Test
  void ignoresTheDemosOwnRoot() {
    Spans spans = trueTree().client(100, 0, "", OwnSpans.SERVICE);
    assertThat(TraceCheck.problems(SENT, spans.build())).isEmpty();
  }

  @Test
  void seesAMissingInvocation() {
    Spans spans =
        new Spans().server(1, 100, "shop", "gateway", "container").client(2, 1, "shop", "gateway");
    assertThat(TraceCheck.problems(SENT, spans.build()))
        .contains("invocations: expected=2, found=1");
  }

  @Test
  void seesAnInvocationStoredTwice() {
    Spans spans = trueTree().server(4, 2, "shop", "price", "wasm");
    assertThat(TraceCheck.problems(SENT, spans.build()))
        .contains("SERVER spans of price: expected=1, found=2");
  }

  @Test
  void seesAWrongParent() {
    Spans spans =
        new Spans()
            .server(1, 100, "shop", "gateway", "container")
            .client(2, 1, "shop", "gateway")
            .server(3, 100, "shop", "price", "wasm");
    assertThat(TraceCheck.problems(SENT, spans.build()))
        .containsExactly("parent of price: expected=0000000000000002, found=0000000000000064");
  }

  @Test
  void seesAWrongTenantAndRuntime() {
    Spans spans =
        new Spans()
            .server(1, 100, "acme", "gateway", "process")
            .client(2, 1, "shop", "gateway")
            .server(3, 2, "shop", "price", "wasm");
    assertThat(TraceCheck.problems(SENT, spans.build()))
        .containsExactly(
            "tenant of gateway: expected=shop, found=acme",
            "runtime of gateway: expected=container, found=process");
  }

  @Test
  void drawsTheTree() {
    assertThat(TraceTree.lines(trueTree().build()))
        .hasSize(4)
        .satisfies(lines -> {
          assertThat(lines.get(1)).startsWith("  └─ gateway").contains("SERVER", "1.500 ms");
          assertThat(lines.get(2)).startsWith("     └─ gateway").contains("CLIENT");
          assertThat(lines.get(3)).startsWith("        └─ price").contains("wasm", "200");
        });
  }

  private static Spans trueTree() {
    return new Spans()
        .server(1, 100, "shop", "gateway", "container")
        .client(2, 1, "shop", "gateway")
        .server(3, 2, "shop", "price", "wasm");
  }
}
