package io.headspan.loadgen.spans;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpEncoder;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SyntheticSpansTest {
  private static final long START_NS = 1_795_000_000_000_000_000L;

  @Test
  void isTheSameForTheSameSeed() {
    SyntheticSpans first = new SyntheticSpans(7, START_NS);
    SyntheticSpans second = new SyntheticSpans(7, START_NS);
    for (int i = 0; i < 3; i++) {
      assertThat(OtlpEncoder.encode(first.next(500)))
          .isEqualTo(OtlpEncoder.encode(second.next(500)));
    }
    assertThat(OtlpEncoder.encode(new SyntheticSpans(8, START_NS).next(500)))
        .isNotEqualTo(OtlpEncoder.encode(new SyntheticSpans(7, START_NS).next(500)));
  }

  @Test
  void givesOtherTracesThroughTheSameFunctions() {
    SpanBatch one = new SyntheticSpans(7, 8, START_NS).next(5_000);
    SpanBatch other = new SyntheticSpans(7, 9, START_NS).next(5_000);
    assertThat(instances(one)).isNotEmpty();
    Set<String> both = instances(one);
    both.addAll(instances(other));
    assertThat(both).hasSizeLessThan(250);
    Set<Long> traces = new HashSet<>();
    for (int i = 0; i < one.size(); i++) {
      traces.add(one.traceIdLow(i));
    }
    for (int i = 0; i < other.size(); i++) {
      assertThat(traces).doesNotContain(other.traceIdLow(i));
    }
  }

  @Test
  void makesTreesOfEverySizeWhoseParentsHoldTheirChildren() {
    SyntheticSpans spans = new SyntheticSpans(1, START_NS);
    Map<Long, Integer> parentRow = new HashMap<>();
    Map<Long, Integer> sizes = new HashMap<>();
    SpanBatch batch = spans.next(50_000);
    for (int row = 0; row < batch.size(); row++) {
      parentRow.put(batch.spanId(row), row);
      sizes.merge(batch.traceIdLow(row), 1, Integer::sum);
    }
    int withParent = 0;
    for (int row = 0; row < batch.size(); row++) {
      Integer parent = parentRow.get(batch.parentSpanId(row));
      if (parent != null) {
        withParent++;
        assertThat(batch.traceIdLow(parent)).isEqualTo(batch.traceIdLow(row));
        assertThat(batch.startNs(parent)).isLessThanOrEqualTo(batch.startNs(row));
        assertThat(batch.startNs(parent) + batch.durationNs(parent))
            .isGreaterThanOrEqualTo(batch.startNs(row) + batch.durationNs(row));
      }
    }
    assertThat(withParent).isGreaterThan(40_000);
    assertThat(sizes.values()).contains(1, 2, 3, 10).allMatch(n -> n <= SyntheticSpans.MAX_SPANS);
  }

  @Test
  void usesEveryKindOfColumn() {
    SpanBatch batch = new SyntheticSpans(3, START_NS).next(20_000);
    Set<Byte> types = new HashSet<>();
    for (int row = 0; row < batch.spanAttributes().size(); row++) {
      types.add(batch.spanAttributes().type(row));
    }
    assertThat(types)
        .contains(
            AttributeType.STRING,
            AttributeType.INT,
            AttributeType.DOUBLE,
            AttributeType.BOOL,
            AttributeType.SLICE);
    assertThat(batch.events()).isPositive();
    assertThat(batch.links()).isPositive();
    assertThat(batch.eventAttributes().size()).isPositive();
    assertThat(batch.linkAttributes().size()).isPositive();
    assertThat(batch.resources()).isBetween(100, 250);
  }

  private static Set<String> instances(SpanBatch batch) {
    Attributes attributes = batch.resourceAttributes();
    Set<String> instances = new HashSet<>();
    for (int row = 0; row < attributes.size(); row++) {
      if (batch.table().string(attributes.key(row)).equals("faas.instance")) {
        instances.add(batch.table().string((int) attributes.value(row)));
      }
    }
    return instances;
  }
}
