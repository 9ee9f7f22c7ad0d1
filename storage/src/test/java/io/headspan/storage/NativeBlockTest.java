package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class NativeBlockTest {
  @Test
  void readsWhatTheEncoderWrites() throws IOException {
    SpanBatch batch = new RandomSpans(1).batch(300, 1_795_000_000_000_000_000L);
    NativeBlock block = decode(encode(batch));
    assertThat(block.rows()).isEqualTo(300);
    for (int row = 0; row < 300; row++) {
      assertThat(NativeBlock.text(block.column("operation"), row))
          .isEqualTo(batch.text(batch.name(row)));
      assertThat(NativeBlock.integer(block.column("time"), row)).isEqualTo(batch.startNs(row));
      assertThat(((NativeColumn.Lists) block.column("events")).end(row))
          .isEqualTo(batch.eventEnd(row));
    }
  }

  @Test
  void encodesABatchAfterALargerOneAsIfItWereTheFirst() {
    BlockEncoder used = new BlockEncoder();
    SpanBatch large = new RandomSpans(2).batch(500, 1_795_000_000_000_000_000L);
    used.spans(large, Origins.of(large), Tier.RECENT);
    SpanBatch small = new RandomSpans(3).batch(20, 1_795_000_000_000_000_000L);
    used.spans(small, Origins.of(small), Tier.RECENT);
    assertThat(used.sink().toByteArray()).isEqualTo(encode(small));
  }

  @Test
  void refusesBrokenBlocks() {
    SpanBatch batch = new RandomSpans(4).batch(5, 1_795_000_000_000_000_000L);
    byte[] whole = encode(batch);
    for (int length = 1; length < whole.length; length += 7) {
      byte[] part = java.util.Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> decode(part)).as("length " + length).isInstanceOf(IOException.class);
    }
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      byte[] broken = whole.clone();
      broken[random.nextInt(broken.length)] ^= (byte) (1 << random.nextInt(8));
      try {
        decode(broken);
      } catch (IOException e) {
        assertThat(e).hasMessageNotContaining("null");
      }
    }
  }

  @Test
  void widensIndexesOfLowCardinalityWithTheirNumber() throws IOException {
    for (int distinct : new int[] {1, 255, 256, 257, 65_535, 65_536, 70_000}) {
      Utf8Table table = new Utf8Table();
      int[] ids = new int[distinct];
      for (int i = 0; i < distinct; i++) {
        ids[i] = table.intern("value " + i);
      }
      NativeSink sink = new NativeSink();
      sink.beginBlock(1, distinct);
      sink.beginColumn("c", "LowCardinality(String)");
      LowCardinality.prefix(sink);
      new LowCardinality().texts(sink, table, ids, distinct);
      NativeBlock block = decode(sink.toByteArray());
      for (int row = 0; row < distinct; row += Math.max(1, distinct / 100)) {
        assertThat(block.row(row).text(0)).isEqualTo("value " + row);
      }
    }
  }

  @Test
  void namesTheTypeItCannotConvert() throws IOException {
    NativeSink sink = new NativeSink();
    sink.beginBlock(1, 1);
    sink.beginColumn("c", "UInt8");
    sink.putByte(7);
    Row row = decode(sink.toByteArray()).row(0);
    assertThat(row.integer(0)).isEqualTo(7);
    assertThatThrownBy(() -> row.text(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("UInt8");
  }

  @Test
  void readsTypeNames() {
    assertThat(NativeType.parse("Array(Tuple(key LowCardinality(String), `a b` UInt8))"))
        .satisfies(type -> {
          NativeType tuple = type.argument(0);
          assertThat(tuple.argument(0).label()).isEqualTo("key");
          assertThat(tuple.argument(0).name()).isEqualTo("LowCardinality");
          assertThat(tuple.argument(1).label()).isEqualTo("a b");
        });
    assertThat(NativeType.parse("DateTime64(9, 'UTC')").arguments()).hasSize(2);
    assertThat(NativeType.parse("Enum8('a = \\'b\\'' = -1, 'c,(' = 2)").arguments()).hasSize(2);
    for (String broken : new String[] {"", "Array(", "Array(Int8", "A)B", "Tuple(a "}) {
      assertThatThrownBy(() -> NativeType.parse(broken))
          .as(broken)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static byte[] encode(SpanBatch batch) {
    BlockEncoder encoder = new BlockEncoder();
    encoder.spans(batch, Origins.of(batch), Tier.RECENT);
    return encoder.sink().toByteArray();
  }

  private static NativeBlock decode(byte[] bytes) throws IOException {
    return NativeBlock.read(new NativeInput(new ByteArrayInputStream(bytes))).orElseThrow();
  }
}
