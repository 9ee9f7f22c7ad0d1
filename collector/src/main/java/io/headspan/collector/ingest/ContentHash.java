package io.headspan.collector.ingest;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.CborReader;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HexFormat;

/// 128 bits of what a batch says, whichever way it came: the same spans give the same hash as OTLP
/// and as OTel-Arrow, whatever the order of spans, attributes, resources and scopes, however often
/// a resource is repeated, and whatever ids the texts have in the batch's table. A sender that
/// encodes a batch anew before it sends it again, or falls back from one protocol to the other, so
/// gives the same name to it.
///
/// Two independent 64-bit lanes. A thing that has an order (a span's own fields, a list of events)
/// is absorbed step by step, each step a bijection of the lane; a thing that has none (spans of a
/// batch, attributes of an owner) is the sum of its finished elements. It protects against
/// accident, not against a sender that looks for two batches of one hash, who could only suppress
/// its own.
final class ContentHash {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private ContentHash() {}

  /// The hash of `batch` as 32 lower-case hex digits.
  static String of(SpanBatch batch) {
    Lane first = new Lane(batch, 0x9e3779b97f4a7c15L, 0xd6e8feb86659fd93L);
    Lane second = new Lane(batch, 0xc2b2ae3d27d4eb4fL, 0x9fb21c651e98df25L);
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(first.batch()) + hex.toHexDigits(second.batch());
  }

  /// One half of the hash.
  private static final class Lane {
    private final SpanBatch batch;
    private final long seed;
    private final long factor;
    private final long[] texts;

    /// By id of a map or array; 0 if not computed yet.
    private final long[] containers;

    private final CborReader cbor = new CborReader();

    private Lane(SpanBatch batch, long seed, long factor) {
      this.batch = batch;
      this.seed = seed;
      this.factor = factor;
      this.texts = texts(batch.table());
      this.containers = new long[texts.length];
    }

    private long batch() {
      long[] scopes = scopes();
      long sum = 0;
      for (int span = 0; span < batch.size(); span++) {
        sum += span(span, scopes);
      }
      return finish(absorb(sum, batch.size()));
    }

    private long[] scopes() {
      long[] resources = new long[batch.resources()];
      for (int i = 0; i < resources.length; i++) {
        long h = attributes(batch.resourceAttributes(), i);
        h = absorb(h, texts[batch.resourceSchemaUrl(i)]);
        resources[i] = finish(absorb(h, batch.resourceDroppedAttributes(i)));
      }
      long[] scopes = new long[batch.scopes()];
      for (int i = 0; i < scopes.length; i++) {
        long h = attributes(batch.scopeAttributes(), i);
        h = absorb(h, resources[batch.scopeResource(i)]);
        h = absorb(h, texts[batch.scopeName(i)]);
        h = absorb(h, texts[batch.scopeVersion(i)]);
        h = absorb(h, texts[batch.scopeSchemaUrl(i)]);
        scopes[i] = finish(absorb(h, batch.scopeDroppedAttributes(i)));
      }
      return scopes;
    }

    private long span(int span, long[] scopes) {
      long h = absorb(seed, scopes[batch.scope(span)]);
      h = absorb(h, batch.startNs(span));
      h = absorb(h, batch.durationNs(span));
      h = absorb(h, batch.traceIdHigh(span));
      h = absorb(h, batch.traceIdLow(span));
      h = absorb(h, batch.spanId(span));
      h = absorb(h, batch.parentSpanId(span));
      h = absorb(h, texts[batch.name(span)]);
      h = absorb(h, batch.kind(span));
      h = absorb(h, batch.statusCode(span));
      h = absorb(h, texts[batch.statusMessage(span)]);
      h = absorb(h, texts[batch.traceState(span)]);
      h = absorb(h, batch.flags(span));
      h = absorb(h, batch.droppedAttributes(span));
      h = absorb(h, batch.droppedEvents(span));
      h = absorb(h, batch.droppedLinks(span));
      h = absorb(h, attributes(batch.spanAttributes(), span));
      h = absorb(h, events(span));
      return finish(absorb(h, links(span)));
    }

    private long events(int span) {
      long sum = 0;
      for (int event = batch.eventBegin(span); event < batch.eventEnd(span); event++) {
        long h = absorb(seed, batch.eventTimeNs(event));
        h = absorb(h, texts[batch.eventName(event)]);
        h = absorb(h, batch.eventDroppedAttributes(event));
        sum += finish(absorb(h, attributes(batch.eventAttributes(), event)));
      }
      return sum;
    }

    private long links(int span) {
      long sum = 0;
      for (int link = batch.linkBegin(span); link < batch.linkEnd(span); link++) {
        long h = absorb(seed, batch.linkTraceIdHigh(link));
        h = absorb(h, batch.linkTraceIdLow(link));
        h = absorb(h, batch.linkSpanId(link));
        h = absorb(h, texts[batch.linkTraceState(link)]);
        h = absorb(h, batch.linkFlags(link));
        h = absorb(h, batch.linkDroppedAttributes(link));
        sum += finish(absorb(h, attributes(batch.linkAttributes(), link)));
      }
      return sum;
    }

    private long attributes(Attributes attributes, int owner) {
      long sum = 0;
      for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
        byte type = attributes.type(row);
        long value = attributes.value(row);
        long h = absorb(seed, texts[attributes.key(row)]);
        h = absorb(h, type);
        sum +=
            finish(
                absorb(
                    h,
                    switch (type) {
                      case AttributeType.STRING, AttributeType.BYTES -> texts[(int) value];
                      case AttributeType.MAP, AttributeType.SLICE -> container((int) value);
                      default -> value;
                    }));
      }
      return sum;
    }

    /// A map or array, from its CBOR: other bytes may say the same. A map's entries have no order.
    private long container(int id) {
      long known = containers[id];
      if (known != 0) {
        return known;
      }
      cbor.reset(batch.table(), id);
      long h = item(cbor.next());
      containers[id] = h;
      return h;
    }

    /// The item that begins with `token`, to its end.
    private long item(CborReader.Token token) {
      long h = absorb(seed, tag(token));
      switch (token) {
        case TEXT, BYTES ->
            h = absorb(h, text(cbor.valueArray(), cbor.valueOffset(), cbor.valueLength()));
        case INT -> h = absorb(h, cbor.integer());
        case DOUBLE -> h = absorb(h, Double.doubleToRawLongBits(cbor.real()));
        case BOOL -> h = absorb(h, cbor.bool() ? 1 : 0);
        case ARRAY_BEGIN -> {
          for (CborReader.Token next = cbor.next(); next != CborReader.Token.END; ) {
            h = absorb(h, item(next));
            next = cbor.next();
          }
        }
        case MAP_BEGIN -> {
          long sum = 0;
          for (CborReader.Token key = cbor.next(); key != CborReader.Token.END; ) {
            long entry = item(key);
            sum += finish(absorb(entry, item(cbor.next())));
            key = cbor.next();
          }
          h = absorb(h, sum);
        }
        case NULL, END, DONE -> {}
      }
      return finish(h);
    }

    /// A number per kind of item, which does not change when the enumeration does.
    private static int tag(CborReader.Token token) {
      return switch (token) {
        case NULL, END, DONE -> 0;
        case TEXT -> 1;
        case INT -> 2;
        case DOUBLE -> 3;
        case BOOL -> 4;
        case MAP_BEGIN -> 5;
        case ARRAY_BEGIN -> 6;
        case BYTES -> 7;
      };
    }

    private long[] texts(Utf8Table table) {
      long[] hashes = new long[table.size()];
      byte[] bytes = table.backing();
      for (int id = 0; id < hashes.length; id++) {
        hashes[id] = text(bytes, table.offset(id), table.length(id));
      }
      return hashes;
    }

    private long text(byte[] bytes, int offset, int length) {
      long h = absorb(seed, length);
      int i = offset;
      for (int end = offset + length - Long.BYTES; i <= end; i += Long.BYTES) {
        h = absorb(h, (long) LONG.get(bytes, i));
      }
      long rest = 0;
      for (int end = offset + length; i < end; i++) {
        rest = (rest << 8) | (bytes[i] & 0xff);
      }
      return finish(absorb(h, rest));
    }

    private long absorb(long h, long value) {
      return Long.rotateLeft(h ^ value, 29) * factor + seed;
    }

    /// The finalizer of MurmurHash3 (public domain, Austin Appleby).
    private static long finish(long h) {
      h = (h ^ (h >>> 33)) * 0xff51afd7ed558ccdL;
      h = (h ^ (h >>> 33)) * 0xc4ceb9fe1a85ec53L;
      return h ^ (h >>> 33);
    }
  }
}
