package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.util.Random;

/// Batches with a bit of everything a [SpanBatch] can hold, the odd values included.
final class RandomSpans {
  private static final String[] KEYS = {
    "http.request.method",
    "http.response.status_code",
    "url.path",
    "headspan.queue_ns",
    "headspan.stolen_ns",
    "faas.coldstart",
    "db.system.name",
    "k1",
    "k2",
    "k3",
    "ключ",
    "a\tb\n'\\"
  };

  private static final String[] TEXTS = {
    "",
    "GET",
    "/a/b",
    "wert",
    "значение",
    "tab\t newline\n quote' backslash\\ nul\0",
    "x".repeat(300)
  };

  private static final long[] LONGS = {
    0, 1, -1, 200, 404, 65535, 65536, Long.MAX_VALUE, Long.MIN_VALUE, 1_234_567_890_123L
  };

  private static final double[] DOUBLES = {
    0.0, -0.0, 1.5, -1e300, Double.MIN_VALUE, Double.NaN, Double.POSITIVE_INFINITY, 0.1
  };

  private final Random random;

  RandomSpans(long seed) {
    random = new Random(seed);
  }

  /// `spans` spans of about `spans / 5` traces, starting at `startNs` and up to 10 s later.
  SpanBatch batch(int spans, long startNs) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int resources = 1 + random.nextInt(3);
    for (int i = 0; i < resources; i++) {
      int resource = builder.addResource();
      builder.resourceSchemaUrl(resource, text(builder));
      builder.resourceDroppedAttributes(resource, random.nextInt(3));
      addResourceText(builder, resource, "service.name", "service-" + random.nextInt(5));
      addResourceText(builder, resource, "headspan.tenant", "tenant-" + random.nextInt(2));
      addResourceText(builder, resource, "faas.instance", "instance-" + random.nextInt(100));
      attributes(builder, builder.resourceAttributes(), resource);
      for (int k = random.nextInt(2); k >= 0; k--) {
        int scope = builder.addScope(resource);
        builder.scopeName(scope, text(builder));
        builder.scopeVersion(scope, text(builder));
        builder.scopeSchemaUrl(scope, text(builder));
        builder.scopeDroppedAttributes(scope, random.nextInt(3));
        attributes(builder, builder.scopeAttributes(), scope);
      }
    }
    long traceHigh = random.nextLong();
    long traceLow = random.nextLong();
    for (int i = 0; i < spans; i++) {
      if (random.nextInt(5) == 0) {
        traceHigh = random.nextLong();
        traceLow = random.nextLong();
      }
      span(builder, traceHigh, traceLow, startNs);
    }
    return builder.build();
  }

  private void span(SpanBatch.Builder builder, long traceHigh, long traceLow, long startNs) {
    int span = builder.addSpan(random.nextInt(builder.scopes()));
    builder.startNs(span, startNs + random.nextLong(10_000_000_000L));
    builder.durationNs(span, random.nextInt(20) == 0 ? -5 : random.nextLong(2_000_000_000L));
    builder.traceIdHigh(span, traceHigh);
    builder.traceIdLow(span, traceLow);
    builder.spanId(span, random.nextLong());
    builder.parentSpanId(span, random.nextInt(4) == 0 ? 0 : random.nextLong());
    builder.name(span, builder.table().intern("operation " + random.nextInt(20)));
    builder.kind(span, (byte) random.nextInt(6));
    builder.statusCode(span, (byte) random.nextInt(3));
    builder.statusMessage(span, text(builder));
    builder.traceState(span, text(builder));
    builder.flags(span, random.nextInt());
    builder.droppedAttributes(span, random.nextInt(3) == 0 ? -1 : 0);
    builder.droppedEvents(span, random.nextInt(2));
    builder.droppedLinks(span, random.nextInt(2));
    attributes(builder, builder.spanAttributes(), span);
    for (int i = random.nextInt(3); i > 0; i--) {
      int event = builder.addEvent(span);
      builder.eventTimeNs(event, startNs + random.nextInt());
      builder.eventName(event, text(builder));
      builder.eventDroppedAttributes(event, random.nextInt(2));
      attributes(builder, builder.eventAttributes(), event);
    }
    for (int i = random.nextInt(3); i > 0; i--) {
      int link = builder.addLink(span);
      builder.linkTraceIdHigh(link, random.nextLong());
      builder.linkTraceIdLow(link, random.nextLong());
      builder.linkSpanId(link, random.nextLong());
      builder.linkTraceState(link, text(builder));
      builder.linkFlags(link, random.nextInt());
      builder.linkDroppedAttributes(link, random.nextInt(2));
      attributes(builder, builder.linkAttributes(), link);
    }
  }

  /// Up to 7 attributes with different keys.
  private void attributes(SpanBatch.Builder builder, Attributes.Builder target, int owner) {
    int first = random.nextInt(KEYS.length);
    for (int i = random.nextInt(8); i > 0; i--) {
      int key = builder.table().intern(KEYS[(first + i) % KEYS.length]);
      byte type = (byte) random.nextInt(8);
      long value =
          switch (type) {
            case AttributeType.EMPTY -> 0;
            case AttributeType.STRING -> text(builder);
            case AttributeType.INT -> LONGS[random.nextInt(LONGS.length)];
            case AttributeType.DOUBLE ->
                Double.doubleToRawLongBits(DOUBLES[random.nextInt(DOUBLES.length)]);
            case AttributeType.BOOL -> random.nextInt(2);
            default -> bytes(builder);
          };
      target.add(owner, key, type, value);
    }
  }

  private static void addResourceText(
      SpanBatch.Builder builder, int resource, String key, String value) {
    builder
        .resourceAttributes()
        .add(
            resource,
            builder.table().intern(key),
            AttributeType.STRING,
            builder.table().intern(value));
  }

  private int text(SpanBatch.Builder builder) {
    return builder.table().intern(TEXTS[random.nextInt(TEXTS.length)]);
  }

  private int bytes(SpanBatch.Builder builder) {
    byte[] bytes = new byte[random.nextInt(20)];
    random.nextBytes(bytes);
    return builder.table().intern(bytes, 0, bytes.length);
  }
}
