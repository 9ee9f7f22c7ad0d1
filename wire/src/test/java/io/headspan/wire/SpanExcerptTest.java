package io.headspan.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.otlp.OtlpEncoder;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SpanExcerptTest {
  @ParameterizedTest
  @ValueSource(ints = {0, 3, 10})
  void theExcerptsOfABatchAreTheBatch(int variety) {
    SpanBatch batch = new RandomBatches(variety).next(300, variety, 50);
    BitSet some = new BitSet();
    for (int span = 0; span < batch.size(); span += 3) {
      some.set(span);
    }
    BitSet others = new BitSet();
    others.set(0, batch.size());
    others.andNot(some);

    SpanBatch first = SpanExcerpt.of(batch, some);
    SpanBatch second = SpanExcerpt.of(batch, others);

    assertThat(first.size()).isEqualTo(100);
    Map<SpanMultiset.Item, Integer> together = new HashMap<>(multiset(first));
    multiset(second).forEach((item, count) -> together.merge(item, count, Integer::sum));
    assertThat(together).isEqualTo(multiset(batch));
  }

  @Test
  void changesOneAttributeOfResources() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    for (String tenant : new String[] {"acme", "bravo"}) {
      int resource = builder.addResource();
      int key = builder.table().intern("tenant");
      for (int twice = 0; twice < 2; twice++) {
        builder
            .resourceAttributes()
            .add(resource, key, AttributeType.STRING, builder.table().intern(tenant));
      }
      builder
          .resourceAttributes()
          .add(resource, builder.table().intern("zone"), AttributeType.INT, 7);
      builder.spanId(builder.addSpan(builder.addScope(resource)), 1);
    }
    SpanBatch batch = builder.build();
    BitSet all = new BitSet();
    all.set(0, 2);

    SpanBatch changed =
        SpanExcerpt.of(
            batch, all, "tenant", resource -> resource == 0 ? "other" : null, new BitSet());

    assertThat(changed.resourceAttributes().end(0) - changed.resourceAttributes().begin(0))
        .isEqualTo(2);
    Set<String> texts = new TreeSet<>();
    for (int id = 1; id < changed.table().size(); id++) {
      texts.add(changed.text(id));
    }
    assertThat(texts).containsExactly("bravo", "other", "tenant", "zone");
    assertThat(changed.resourceAttributes().end(1) - changed.resourceAttributes().begin(1))
        .isEqualTo(3);
  }

  @Test
  void leavesOutAttributesAndCountsThem() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int resource = builder.addResource();
    int secret = builder.table().intern("secret");
    int open = builder.table().intern("open");
    builder.resourceAttributes().add(resource, secret, AttributeType.INT, 1);
    builder.resourceAttributes().add(resource, open, AttributeType.INT, 2);
    int span = builder.addSpan(builder.addScope(resource));
    builder.droppedAttributes(span, 3);
    builder.spanAttributes().add(span, open, AttributeType.INT, 4);
    builder.spanAttributes().add(span, secret, AttributeType.INT, 5);
    BitSet all = new BitSet();
    all.set(0);
    BitSet without = new BitSet();
    without.set(secret);

    SpanBatch left = SpanExcerpt.of(builder.build(), all, "", _ -> null, without);

    assertThat(left.resourceAttributes().size()).isEqualTo(1);
    assertThat(left.resourceAttributes().value(0)).isEqualTo(2);
    assertThat(left.resourceDroppedAttributes(0)).isEqualTo(1);
    assertThat(left.spanAttributes().size()).isEqualTo(1);
    assertThat(left.spanAttributes().value(0)).isEqualTo(4);
    assertThat(left.droppedAttributes(0)).isEqualTo(4);
  }

  private static Map<SpanMultiset.Item, Integer> multiset(SpanBatch batch) {
    return SpanMultiset.of(OtlpEncoder.encode(batch).getResourceSpansList());
  }
}
