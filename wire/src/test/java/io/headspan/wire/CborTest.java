package io.headspan.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CborTest {
  private final CborReader reader = new CborReader();
  private final CborWriter writer = new CborWriter();

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    // Both lengths of a container, and what the writer makes of them.
    "80, 9fff",
    "9fff, 9fff",
    "a0, bfff",
    "bfff, bfff",
    "83010203, 9f010203ff",
    "a1616102, bf616102ff",
    "bf6161a16162f6ff, bf6161bf6162f6ffff",
    // Integers in longer forms, at both ends of 64 bits.
    "811900ff, 9f18ffff",
    "811b7fffffffffffffff, 9f1b7fffffffffffffffff",
    "813b7fffffffffffffff, 9f3b7fffffffffffffffff",
    // Floats of every width, truth values, null and undefined.
    "81f93c00, 9ffb3ff0000000000000ff",
    "81fa7f800000, 9ffb7ff0000000000000ff",
    "84f4f5f6f7, 9ff4f5f6f6ff",
    // Strings in chunks.
    "817f61616162ff, 9f626162ff",
    "815f41014102ff, 9f420102ff",
  })
  void readsEveryFormAndWritesOne(String in, String out) {
    assertThat(normalized(in)).isEqualTo(out);
    assertThat(normalized(out)).isEqualTo(out);
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({
    "'', cut off",
    "01, neither a map nor an array",
    "8101ff, bytes after its end",
    "8119, cut off",
    "9b7fffffffffffffff, longer than its bytes",
    "bb7fffffffffffffff, longer than its bytes",
    "bbffffffffffffffff, longer than its bytes",
    "817b7fffffffffffffff, longer than its bytes",
    "811bffffffffffffffff, above 2^63-1",
    "813bffffffffffffffff, below -2^63",
    "a10101, a key that is no text",
    "bf6161ff, a key without a value",
    "81c100, a tag",
    "8161ff, no UTF-8",
    "81ff, a break outside",
    "817f4101ff, a chunk of another type",
    "81e0, simple value 0",
    "811c, reserved length 28",
  })
  void rejects(String in, String reason) {
    assertThatThrownBy(() -> normalized(in))
        .isInstanceOf(WireException.class)
        .hasMessageStartingWith("bad CBOR value: ")
        .hasMessageContaining(reason);
  }

  @Test
  void rejectsNestingBeyondItsBound() {
    normalized("81".repeat(CborReader.MAX_DEPTH - 1) + "80");
    assertThatThrownBy(() -> normalized("81".repeat(CborReader.MAX_DEPTH) + "80"))
        .isInstanceOf(WireException.class)
        .hasMessageContaining("nesting deeper than 64");
  }

  @Test
  void survivesAnyBytes() {
    Random random = new Random(42);
    byte[] bytes = new byte[64];
    int accepted = 0;
    for (int i = 0; i < 200_000; i++) {
      random.nextBytes(bytes);
      bytes[0] = (byte) (i % 2 == 0 ? 0x9f : 0xa2);
      int length = 1 + random.nextInt(bytes.length);
      writer.reset();
      try {
        reader.reset(bytes, 0, length).copyTo(writer);
        accepted++;
      } catch (WireException e) {
        assertThat(e).hasMessageStartingWith("bad CBOR value: ");
      }
    }
    assertThat(accepted).isPositive();
  }

  private String normalized(String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    writer.reset();
    reader.reset(bytes, 0, bytes.length).copyTo(writer);
    return HexFormat.of().formatHex(writer.backing(), 0, writer.size());
  }
}
