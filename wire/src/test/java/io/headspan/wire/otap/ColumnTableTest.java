package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ColumnTableTest {
  private static final List<String> TEXTS = List.of("victim", "culprit");
  private static final List<String> NUMBERS = List.of("wait_ns", "waits");
  private static final long LIMIT_BYTES = 16 << 20;

  @Test
  void comesBackAsItWas() {
    for (int rows : new int[] {0, 1, 7, 300, 70_000}) {
      ColumnTable table = random(rows);
      ColumnTable read = ColumnTable.decode(table.encode(), TEXTS, NUMBERS, LIMIT_BYTES);
      assertThat(read.rows()).isEqualTo(rows);
      TEXTS.forEach(name -> assertThat(read.texts(name)).isEqualTo(table.texts(name)));
      NUMBERS.forEach(name -> assertThat(read.numbers(name)).isEqualTo(table.numbers(name)));
    }
  }

  @Test
  void isReadByArrowItself() {
    ColumnTable table = random(500);
    ArrowPayload payload = ArrowPayload.newBuilder().setRecord(table.encode()).build();
    assertThat(ArrowReaderOracle.columns(payload))
        .containsExactly("victim", "culprit", "wait_ns", "waits");
    try (ArrowReaderOracle oracle = new ArrowReaderOracle()) {
      assertThat(oracle.values(payload, "culprit")).containsExactly(table.texts("culprit"));
    }
  }

  @Test
  void refusesWhatItIsNot() {
    ByteString encoded = random(100).encode();
    assertThatThrownBy(() -> ColumnTable.decode(encoded, List.of("tenant"), NUMBERS, LIMIT_BYTES))
        .isInstanceOf(OtapException.class)
        .hasMessageContaining("column=tenant");
    assertThatThrownBy(() -> ColumnTable.decode(encoded, TEXTS, List.of("victim"), LIMIT_BYTES))
        .isInstanceOf(OtapException.class);
    assertThatThrownBy(() -> ColumnTable.decode(encoded, TEXTS, NUMBERS, 1_000))
        .isInstanceOfSatisfying(
            OtapException.class, e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.LIMIT));
  }

  /// Damage is found, or the table is read with other values; nothing else is thrown.
  @Test
  void survivesDamage() {
    byte[] whole = random(100).encode().toByteArray();
    SplittableRandom random = new SplittableRandom(9);
    int refused = 0;
    for (int round = 0; round < 2_000; round++) {
      byte[] damaged = whole.clone();
      for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      int length = random.nextInt(4) == 0 ? random.nextInt(damaged.length) : damaged.length;
      try {
        var _ =
            ColumnTable.decode(ByteString.copyFrom(damaged, 0, length), TEXTS, NUMBERS, 1 << 20);
      } catch (OtapException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(200);
  }

  private static ColumnTable random(int rows) {
    SplittableRandom random = new SplittableRandom(rows);
    ColumnTable table = ColumnTable.of(rows, TEXTS, NUMBERS);
    for (int row = 0; row < rows; row++) {
      table.texts("victim")[row] = random.nextInt(5) == 0 ? "" : "tenant-ü-" + random.nextInt(50);
      table.texts("culprit")[row] = "tenant-" + random.nextInt(rows);
      table.numbers("wait_ns")[row] = random.nextLong();
      table.numbers("waits")[row] = random.nextInt(100);
    }
    return table;
  }
}
