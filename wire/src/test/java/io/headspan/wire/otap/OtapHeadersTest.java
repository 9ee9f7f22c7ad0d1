package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OtapHeadersTest {
  @Test
  void keepsTheDynamicTableOverTheStream() {
    OtapHeaders sender = new OtapHeaders();
    OtapHeaders receiver = new OtapHeaders();
    int firstBytes = 0;
    int laterBytes = 0;
    for (int i = 0; i < 100; i++) {
      Map<String, String> headers =
          Map.of("headspan-agent-id", "node-17", "headspan-sequence", Integer.toString(i));
      ByteString block = sender.encode(headers);
      assertThat(receiver.decode(block)).isEqualTo(headers);
      if (i == 0) {
        firstBytes = block.size();
      } else {
        laterBytes += block.size();
      }
    }
    // A few bytes each, and the agent's id once more when the numbers have pushed it out of the
    // table.
    assertThat(laterBytes).isLessThan(99 * 6 + 2 * firstBytes);
  }

  @Test
  void readsTheBlocksOfTheSpecification() {
    // RFC 7541, appendix C.4: three requests on one connection, the later ones refer to the first.
    OtapHeaders receiver = new OtapHeaders();
    assertThat(receiver.decode(hex("828684418cf1e3c2e5f23a6ba0ab90f4ff")))
        .containsEntry(":authority", "www.example.com");
    assertThat(receiver.decode(hex("828684be5886a8eb10649cbf")))
        .containsEntry(":authority", "www.example.com")
        .containsEntry("cache-control", "no-cache");
    assertThat(receiver.decode(hex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")))
        .containsEntry(":authority", "www.example.com")
        .containsEntry("custom-key", "custom-value");
  }

  @Test
  void joinsRepeatedNamesAndLowersCase() {
    OtapHeaders sender = new OtapHeaders();
    OtapHeaders receiver = new OtapHeaders();
    assertThat(receiver.decode(sender.encode(Map.of("X-Tenant", "größe"))))
        .isEqualTo(Map.of("x-tenant", "größe"));
    // Literal without indexing, name and value in plain: a=1, a=2.
    assertThat(receiver.decode(hex("0001610131" + "0001610132"))).isEqualTo(Map.of("a", "1, 2"));
  }

  @Test
  void emptyBlockMeansNoHeaders() {
    assertThat(new OtapHeaders().encode(Map.of())).isEqualTo(ByteString.EMPTY);
    assertThat(new OtapHeaders().decode(ByteString.EMPTY)).isEmpty();
  }

  @Test
  void rejectsWhatIsNotHpack() {
    for (String block : new String[] {"ff", "ffffffffffffffff", "00016101", "c0", "400161ff"}) {
      assertThatThrownBy(() -> new OtapHeaders().decode(hex(block)))
          .isInstanceOfSatisfying(
              OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.INVALID))
          .hasMessageStartingWith("bad batch headers: bytes=" + block.length() / 2);
    }
  }

  private static ByteString hex(String digits) {
    return ByteString.fromHex(digits);
  }
}
