package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ContentHashTest {
  private static final long START_NS = 1_795_000_000_000_000_000L;

  @Test
  void isTheSameForTheSameSpansInAnyOrder() {
    SpanBatch batch = new SyntheticSpans(1, START_NS).next(2_000);
    TracesData data = OtlpEncoder.encode(batch);

    String hash = ContentHash.of(batch);

    assertThat(hash).matches("[0-9a-f]{32}");
    assertThat(ContentHash.of(OtlpDecoder.decode(data.getResourceSpansList()))).isEqualTo(hash);
    assertThat(ContentHash.of(OtlpDecoder.decode(shuffled(data, new Random(7))))).isEqualTo(hash);
  }

  @Test
  void differsBetweenBatches() {
    SyntheticSpans spans = new SyntheticSpans(2, START_NS);
    Set<String> hashes = new HashSet<>();
    for (int i = 0; i < 500; i++) {
      hashes.add(ContentHash.of(spans.next(20)));
    }
    assertThat(hashes).hasSize(500);
  }

  @Test
  void everyFieldCounts() {
    Set<String> hashes = new HashSet<>();
    hashes.add(ContentHash.of(batch(b -> {})));
    List<Consumer<SpanBatch.Builder>> changes =
        List.of(
            b -> b.startNs(0, 2),
            b -> b.durationNs(0, 2),
            b -> b.traceIdHigh(0, 2),
            b -> b.traceIdLow(0, 2),
            b -> b.spanId(0, 2),
            b -> b.parentSpanId(0, 2),
            b -> b.name(0, b.table().intern("x")),
            b -> b.kind(0, (byte) 2),
            b -> b.statusCode(0, (byte) 2),
            b -> b.statusMessage(0, b.table().intern("x")),
            b -> b.traceState(0, b.table().intern("x")),
            b -> b.flags(0, 2),
            b -> b.droppedAttributes(0, 2),
            b -> b.droppedEvents(0, 2),
            b -> b.droppedLinks(0, 2),
            b -> b.resourceSchemaUrl(0, b.table().intern("x")),
            b -> b.resourceDroppedAttributes(0, 2),
            b -> b.scopeName(0, b.table().intern("x")),
            b -> b.scopeVersion(0, b.table().intern("x")),
            b -> b.scopeSchemaUrl(0, b.table().intern("x")),
            b -> b.scopeDroppedAttributes(0, 2),
            b -> b.spanAttributes().add(0, b.table().intern("x"), AttributeType.INT, 1),
            b -> b.spanAttributes().add(0, b.table().intern("x"), AttributeType.INT, 2),
            b -> b.spanAttributes().add(0, b.table().intern("x"), AttributeType.BOOL, 1),
            b -> b.spanAttributes().add(0, b.table().intern("y"), AttributeType.INT, 1),
            b -> b.resourceAttributes().add(0, b.table().intern("x"), AttributeType.INT, 1),
            b -> b.scopeAttributes().add(0, b.table().intern("x"), AttributeType.INT, 1),
            b -> b.eventTimeNs(0, 2),
            b -> b.eventName(0, b.table().intern("x")),
            b -> b.eventDroppedAttributes(0, 2),
            b -> b.eventAttributes().add(0, b.table().intern("x"), AttributeType.INT, 1),
            b -> b.linkTraceIdHigh(0, 2),
            b -> b.linkTraceIdLow(0, 2),
            b -> b.linkSpanId(0, 2),
            b -> b.linkTraceState(0, b.table().intern("x")),
            b -> b.linkFlags(0, 2),
            b -> b.linkDroppedAttributes(0, 2),
            b -> b.linkAttributes().add(0, b.table().intern("x"), AttributeType.INT, 1),
            b -> b.addEvent(0),
            b -> b.addLink(0),
            b -> b.addSpan(0));
    for (Consumer<SpanBatch.Builder> change : changes) {
      hashes.add(ContentHash.of(batch(change)));
    }
    assertThat(hashes).hasSize(changes.size() + 1);
  }

  /// One span with one event and one link, everything else 0, then `change`.
  private static SpanBatch batch(Consumer<SpanBatch.Builder> change) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int span = builder.addSpan(builder.addScope(builder.addResource()));
    builder.addEvent(span);
    builder.addLink(span);
    change.accept(builder);
    return builder.build();
  }

  private static List<ResourceSpans> shuffled(TracesData data, Random random) {
    List<ResourceSpans> resources = new ArrayList<>();
    for (ResourceSpans resource : data.getResourceSpansList()) {
      for (ScopeSpans scope : resource.getScopeSpansList()) {
        for (Span span : scope.getSpansList()) {
          // One resource per span: how often it is repeated does not count either.
          ResourceSpans.Builder alone = resource.toBuilder().clearScopeSpans();
          alone.addScopeSpans(scope.toBuilder().clearSpans().addSpans(shuffled(span, random)));
          resources.add(alone.build());
        }
      }
    }
    Collections.shuffle(resources, random);
    return resources;
  }

  private static Span shuffled(Span span, Random random) {
    List<KeyValue> attributes = new ArrayList<>(span.getAttributesList());
    Collections.shuffle(attributes, random);
    return span.toBuilder().clearAttributes().addAllAttributes(attributes).build();
  }
}
