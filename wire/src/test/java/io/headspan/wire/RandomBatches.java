package io.headspan.wire;

import java.util.SplittableRandom;

/// Batches in which anything may occur, the same for the same seed: every column and attribute
/// type, values of every kind, resources and scopes that differ in one thing only. How much of it
/// occurs depends on the variety, so that a stream can start plain and grow.
public final class RandomBatches {
  private static final byte[] TYPES = {
    AttributeType.STRING,
    AttributeType.STRING,
    AttributeType.STRING,
    AttributeType.INT,
    AttributeType.INT,
    AttributeType.BOOL,
    AttributeType.DOUBLE,
    AttributeType.BYTES,
    AttributeType.MAP,
    AttributeType.SLICE,
    AttributeType.EMPTY
  };
  private static final double[] DOUBLES = {
    0.0, -0.0, 1.5, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.MIN_VALUE
  };

  private final SplittableRandom random;
  private final CborWriter cbor = new CborWriter();

  public RandomBatches(long seed) {
    random = new SplittableRandom(seed);
  }

  /// A batch of `spans` spans.
  ///
  /// @param variety from 0, required columns and texts only, to 10, everything
  /// @param vocabulary how many different texts there are
  public SpanBatch next(int spans, int variety, int vocabulary) {
    SpanBatch.Builder batch = new SpanBatch.Builder();
    Utf8Table table = batch.table();
    int scopes = 0;
    for (int r = random.nextInt(1, 5); r > 0; r--) {
      int resource = batch.addResource();
      if (some(variety)) {
        batch.resourceSchemaUrl(resource, text(table, 3));
        batch.resourceDroppedAttributes(resource, count());
      }
      attributes(batch.resourceAttributes(), resource, table, variety, vocabulary);
      for (int s = random.nextInt(1, 4); s > 0; s--) {
        int scope = batch.addScope(resource);
        batch.scopeName(scope, text(table, 5));
        if (some(variety)) {
          batch.scopeVersion(scope, text(table, 3));
          batch.scopeSchemaUrl(scope, text(table, 3));
          batch.scopeDroppedAttributes(scope, count());
          attributes(batch.scopeAttributes(), scope, table, variety, vocabulary);
        }
        scopes++;
      }
    }
    for (int i = 0; i < spans; i++) {
      span(batch, random.nextInt(scopes), variety, vocabulary);
    }
    return batch.build();
  }

  private void span(SpanBatch.Builder batch, int scope, int variety, int vocabulary) {
    Utf8Table table = batch.table();
    int row = batch.addSpan(scope);
    batch.traceIdHigh(row, random.nextLong());
    batch.traceIdLow(row, random.nextLong());
    batch.spanId(row, random.nextLong() | 1);
    batch.parentSpanId(row, random.nextBoolean() ? 0 : random.nextLong());
    batch.startNs(row, random.nextLong(Long.MAX_VALUE / 2));
    batch.durationNs(row, random.nextInt(20) == 0 ? -random.nextInt() : random.nextInt());
    batch.name(row, text(table, vocabulary));
    if (some(variety)) {
      batch.kind(row, (byte) random.nextInt(6));
      batch.statusCode(row, (byte) random.nextInt(3));
      batch.flags(row, random.nextInt());
    }
    if (some(variety - 2)) {
      batch.statusMessage(row, text(table, vocabulary));
      batch.traceState(row, text(table, vocabulary));
    }
    if (some(variety - 4)) {
      batch.droppedAttributes(row, count());
      batch.droppedEvents(row, count());
      batch.droppedLinks(row, count());
    }
    if (random.nextInt(8) > 0) {
      attributes(batch.spanAttributes(), row, table, variety, vocabulary);
    }
    for (int e = some(variety - 3) ? random.nextInt(4) : 0; e > 0; e--) {
      int event = batch.addEvent(row);
      batch.eventName(event, text(table, 4));
      batch.eventTimeNs(event, random.nextLong(Long.MAX_VALUE));
      batch.eventDroppedAttributes(event, count());
      if (random.nextBoolean()) {
        attributes(batch.eventAttributes(), event, table, variety, vocabulary);
      }
    }
    for (int l = some(variety - 3) ? random.nextInt(3) : 0; l > 0; l--) {
      int link = batch.addLink(row);
      batch.linkTraceIdHigh(link, random.nextInt(3));
      batch.linkTraceIdLow(link, random.nextInt(3));
      batch.linkSpanId(link, random.nextLong());
      batch.linkTraceState(link, text(table, 3));
      batch.linkFlags(link, random.nextInt(3));
      batch.linkDroppedAttributes(link, count());
      if (random.nextBoolean()) {
        attributes(batch.linkAttributes(), link, table, variety, vocabulary);
      }
    }
  }

  private void attributes(
      Attributes.Builder to, int owner, Utf8Table table, int variety, int vocabulary) {
    for (int key = 0, n = random.nextInt(6); key < n; key++) {
      int keyId = table.intern("key-" + key * random.nextInt(1, 4));
      byte type = TYPES[random.nextInt(Math.clamp(3 + variety, 1, TYPES.length))];
      to.add(owner, keyId, type, value(type, table, vocabulary));
    }
  }

  private long value(byte type, Utf8Table table, int vocabulary) {
    return switch (type) {
      case AttributeType.STRING -> text(table, vocabulary);
      case AttributeType.INT ->
          random.nextBoolean() ? random.nextInt(4) : random.nextLong() >> random.nextInt(64);
      case AttributeType.BOOL -> random.nextInt(2);
      case AttributeType.DOUBLE ->
          Double.doubleToRawLongBits(DOUBLES[random.nextInt(DOUBLES.length)]);
      case AttributeType.BYTES -> {
        byte[] bytes = new byte[random.nextInt(4)];
        random.nextBytes(bytes);
        yield table.intern(bytes, 0, bytes.length);
      }
      case AttributeType.MAP, AttributeType.SLICE -> {
        cbor.reset();
        container(type == AttributeType.MAP, 0);
        yield cbor.internInto(table);
      }
      default -> 0;
    };
  }

  private void container(boolean map, int depth) {
    if (map) {
      cbor.beginMap();
    } else {
      cbor.beginArray();
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      if (map) {
        cbor.text("k" + i);
      }
      switch (random.nextInt(depth < 3 ? 8 : 6)) {
        case 0 -> cbor.text("ä" + random.nextInt(3));
        case 1 -> cbor.integer(random.nextLong() >> random.nextInt(64));
        case 2 -> cbor.real(DOUBLES[random.nextInt(DOUBLES.length)]);
        case 3 -> cbor.bool(random.nextBoolean());
        case 4 -> cbor.nothing();
        case 5 -> cbor.bytes(new byte[] {1, -2}, 0, random.nextInt(3));
        case 6 -> container(true, depth + 1);
        default -> container(false, depth + 1);
      }
    }
    cbor.end();
  }

  private boolean some(int variety) {
    return variety > 0 && random.nextInt(4) > 0;
  }

  private int count() {
    return random.nextInt(3) == 0 ? random.nextInt() : 0;
  }

  private int text(Utf8Table table, int vocabulary) {
    int number = random.nextInt(vocabulary);
    return number == 0 ? Utf8Table.EMPTY : table.intern("text-ü-" + number);
  }
}
