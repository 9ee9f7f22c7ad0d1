package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.CborWriter;
import io.headspan.wire.Utf8Table;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SliceElementsTest {
  private final Utf8Table table = new Utf8Table();
  private final int key = table.intern("k");
  private final SliceElements elements = new SliceElements();

  @Test
  void takesScalarsInOrderWithTheirTypes() {
    CborWriter cbor = new CborWriter();
    cbor.reset();
    cbor.beginArray();
    cbor.text("a");
    cbor.integer(Long.MIN_VALUE);
    cbor.real(0.1);
    cbor.bool(true);
    cbor.nothing();
    cbor.end();
    elements.addAll(key, table, cbor.internInto(table));
    assertThat(texts())
        .containsExactly(
            AttributeType.STRING + "=a",
            AttributeType.INT + "=-9223372036854775808",
            AttributeType.DOUBLE + "=0.1",
            AttributeType.BOOL + "=true");
  }

  @Test
  void leavesWhatLiesDeeper() {
    CborWriter cbor = new CborWriter();
    cbor.reset();
    cbor.beginArray();
    cbor.beginArray();
    cbor.text("inner");
    cbor.end();
    cbor.beginMap();
    cbor.text("x");
    cbor.text("y");
    cbor.end();
    cbor.text("outer");
    cbor.end();
    elements.addAll(key, table, cbor.internInto(table));
    assertThat(texts()).containsExactly(AttributeType.STRING + "=outer");
  }

  @Test
  void takesNothingOfWhatIsNotCbor() {
    elements.addAll(key, table, table.intern(new byte[] {(byte) 0x9f, 0x61, 'a', 0x61}, 0, 4));
    assertThat(elements.size()).isZero();
  }

  private List<String> texts() {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < elements.size(); i++) {
      assertThat(elements.key(i)).isEqualTo(key);
      texts.add(elements.type(i) + "=" + new String(elements.value(i), StandardCharsets.UTF_8));
    }
    return texts;
  }
}
