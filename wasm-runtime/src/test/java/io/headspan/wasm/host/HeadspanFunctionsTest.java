package io.headspan.wasm.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wire.TraceContext;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class HeadspanFunctionsTest {
  @Test
  void givesTheFieldsOfTheRequest() {
    TraceContext context = TraceContext.parse(HostCalls.TRACEPARENT, "k=v").orElseThrow();
    HostCalls guest =
        new HostCalls(HeadspanFunctions.all(), HostCalls.request("", Optional.of(context)));
    List<String> expected =
        List.of("POST", "/cart", "a=b", "", HostCalls.TRACEPARENT, "k=v", "acme", "shop", "2.1");
    for (int field = 0; field < expected.size(); field++) {
      long length = guest.call("request_field", field, 100, 200);
      if (field == 3) {
        assertThat(length).isEqualTo(-1);
      } else {
        assertThat(guest.text(100, (int) length)).isEqualTo(expected.get(field));
      }
    }
  }

  @Test
  void givesTheLengthOfWhatDoesNotFit() {
    HostCalls guest = headspan();
    guest.put(100, "....");
    assertThat(guest.call("request_field", 6, 100, 2)).isEqualTo(4);
    assertThat(guest.text(100, 4)).isEqualTo("ac..");
    assertThat(guest.call("request_field", 6, 0, 0)).isEqualTo(4);
    assertThat(guest.call("request_field", 6, 100, -1)).isEqualTo(4);
  }

  @Test
  void withoutContextThereIsNone() {
    assertThat(headspan().call("request_field", 4, 0, 100)).isEqualTo(-1);
    assertThat(headspan().call("request_field", 5, 0, 100)).isEqualTo(-1);
  }

  @Test
  void setsStatusAndHeaders() {
    HostCalls guest = headspan();
    assertThat(guest.invocation.response().status()).isEqualTo(200);
    guest.call("response_status", 404);
    header(guest, "X-Kind", "none of yours");
    header(guest, "x-kind", "again");
    GuestResponse response = guest.invocation.response();
    assertThat(response.status()).isEqualTo(404);
    assertThat(response.headers())
        .containsExactly(
            new GuestResponse.Header("x-kind", "none of yours"),
            new GuestResponse.Header("x-kind", "again"));
  }

  @Test
  void refusesWhatCannotBeSent() {
    HostCalls guest = headspan();
    assertProtocol(() -> guest.call("response_status", 100), "status=100");
    assertProtocol(() -> guest.call("response_status", 600), "status=600");
    assertProtocol(() -> header(guest, "content-length", "5"), "name=content-length");
    assertProtocol(() -> header(guest, "Transfer-Encoding", "chunked"), "name=transfer-encoding");
    assertProtocol(() -> header(guest, "a b", "x"), "name=a b");
    assertProtocol(() -> header(guest, "", "x"), "name=");
    assertProtocol(() -> header(guest, "x\r\ny", "x"), "name=x??y");
    assertProtocol(() -> header(guest, "x", "a\r\nset-cookie: b"), "cannot be sent: name=x");
    assertProtocol(() -> header(guest, "x", "caf\u00e9"), "cannot be sent: name=x");
    assertProtocol(() -> guest.call("request_field", 9, 0, 0), "field=9");
    assertProtocol(() -> guest.call("response_header", 0, 8_193, 0, 0), "length=8193");
    assertProtocol(() -> guest.call("response_header", 0, -1, 0, 0), "length=4294967295");
    assertThat(guest.invocation.response().headers()).isEmpty();
  }

  @Test
  void limitsTheHeaders() {
    HostCalls many = headspan();
    for (int i = 0; i < 64; i++) {
      header(many, "x", "y");
    }
    assertProtocol(() -> header(many, "x", "y"), "too many headers");
    HostCalls large = headspan();
    header(large, "x", "y".repeat(8_000));
    assertProtocol(() -> header(large, "x", "y".repeat(200)), "too many headers");
  }

  private static void header(HostCalls guest, String name, String value) {
    guest.put(0, name);
    guest.put(1_000, value);
    guest.call("response_header", 0, name.length(), 1_000, value.length());
  }

  private static HostCalls headspan() {
    return new HostCalls(HeadspanFunctions.all(), "");
  }

  private static void assertProtocol(ThrowingCallable call, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.PROTOCOL))
        .hasMessageContaining(message);
  }
}
