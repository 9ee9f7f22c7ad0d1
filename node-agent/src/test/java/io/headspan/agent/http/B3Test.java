package io.headspan.agent.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.TraceContext;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class B3Test {
  private static final String TRACE = "80f198ee56343ba864fe8b2a57d3eff7";
  private static final String SPAN = "e457b5a2e4d86bd1";
  private static final String PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

  @ParameterizedTest
  @CsvSource({
    "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1, 0",
    "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0, 0",
    "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1, 1",
    "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-d, 1",
    "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90, 1"
  })
  void readsOneHeader(String value, int flags) {
    RequestHead head = head("B3: " + value);
    assertThat(head.carried()).isEqualTo(CarriedContext.VALID);
    TraceContext context = context(head);
    assertThat(context.traceId()).isEqualTo(TRACE);
    assertThat(TraceContext.hexId(context.spanId())).isEqualTo(SPAN);
    assertThat(context.flags()).isEqualTo((byte) flags);
  }

  @Test
  void readsSeveralHeadersInAnyOrder() {
    RequestHead head =
        head(
            "X-B3-Sampled: 1",
            "x-b3-spanid: " + SPAN,
            "X-B3-ParentSpanId: 05e3ac9a4f6e3b90",
            "X-B3-TraceId: 64fe8b2a57d3eff7");
    assertThat(context(head).traceId()).isEqualTo("000000000000000064fe8b2a57d3eff7");
    assertThat(context(head).flags()).isEqualTo((byte) 1);
    assertThat(context(head("X-B3-TraceId: " + TRACE, "X-B3-SpanId: " + SPAN)).flags()).isZero();
    assertThat(
            context(head("X-B3-TraceId: " + TRACE, "X-B3-SpanId: " + SPAN, "X-B3-Flags: 1"))
                .flags())
        .isEqualTo((byte) 1);
  }

  @Test
  void takesTraceparentFirstThenTheOneHeader() {
    String single = "b3: " + TRACE + "-" + SPAN + "-1";
    String other = "x-b3-traceid: 64fe8b2a57d3eff7";
    assertThat(context(head(single, other, "x-b3-spanid: " + SPAN, "traceparent: " + PARENT)))
        .extracting(TraceContext::traceparent)
        .isEqualTo(PARENT);
    assertThat(context(head(other, "x-b3-spanid: " + SPAN, single)).traceId()).isEqualTo(TRACE);
    assertThat(context(head("traceparent: broken", single)).traceId()).isEqualTo(TRACE);
    assertThat(context(head("b3: broken", "x-b3-spanid: " + SPAN, "x-b3-traceid: " + TRACE)))
        .extracting(TraceContext::traceId)
        .isEqualTo(TRACE);
  }

  @Test
  void leavesTracestateToTraceparent() {
    RequestHead head = head("tracestate: a=b", "b3: " + TRACE + "-" + SPAN);
    assertThat(context(head).traceState()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "1", "d"})
  void takesABareDecisionForNoContext(String value) {
    assertThat(head("b3: " + value).carried()).isEqualTo(CarriedContext.NONE);
    assertThat(head("X-B3-Sampled: " + value).carried()).isEqualTo(CarriedContext.NONE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "-",
        "2",
        "80f198ee56343ba864fe8b2a57d3eff7",
        "80f198ee56343ba864fe8b2a57d3eff7-",
        "80F198EE56343BA864FE8B2A57D3EFF7-e457b5a2e4d86bd1",
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-2",
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-",
        "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90-",
        "00000000000000000000000000000000-e457b5a2e4d86bd1-1",
        "80f198ee56343ba864fe8b2a57d3eff7-0000000000000000-1",
        "80f198ee56343ba8-64fe8b2a57d3eff7e457b5a2e4d86bd1-1"
      })
  void takesWhatIsNoContextForInvalid(String value) {
    RequestHead head = head("b3: " + value);
    assertThat(head.context()).isNull();
    assertThat(head.carried()).isEqualTo(CarriedContext.INVALID);
  }

  @Test
  void takesHeadersThatComeTwiceForInvalid() {
    String single = "b3: " + TRACE + "-" + SPAN + "-1";
    assertThat(head(single, single).carried()).isEqualTo(CarriedContext.INVALID);
    assertThat(head("x-b3-traceid: " + TRACE).carried()).isEqualTo(CarriedContext.INVALID);
  }

  private static RequestHead head(String... lines) {
    String text = "GET / HTTP/1.1\r\n" + String.join("\r\n", lines) + "\r\n\r\n";
    return (RequestHead) RequestHead.parse(text.getBytes(ISO_8859_1), true);
  }

  private static TraceContext context(RequestHead head) {
    return Objects.requireNonNull(head.context());
  }
}
