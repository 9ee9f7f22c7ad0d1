package io.headspan.wire;

import java.util.Arrays;
import java.util.BitSet;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Some spans of a batch as a batch of its own, with the resources and scopes that they need, in
/// the order they had.
public final class SpanExcerpt {
  private final SpanBatch from;
  private final SpanBatch.Builder to = new SpanBatch.Builder();

  /// Ids in the new table by those in the old one; 0 is that of "" in both, or not known yet.
  private final int[] texts;

  private final BitSet withoutKeys;

  private SpanExcerpt(SpanBatch from, BitSet withoutKeys) {
    this.from = from;
    this.withoutKeys = withoutKeys;
    texts = new int[from.table().size()];
  }

  /// Copies.
  ///
  /// @param spans which
  public static SpanBatch of(SpanBatch batch, BitSet spans) {
    return of(batch, spans, "", _ -> null, new BitSet());
  }

  /// Copies, and changes one attribute of resources on the way.
  ///
  /// @param spans which
  /// @param key of the attribute
  /// @param value gives what the attribute is to be of a resource, null for what it is
  /// @param withoutKeys attributes with these keys are left out of spans and resources, and counted
  ///   there as dropped; ids of the table of `batch`
  public static SpanBatch of(
      SpanBatch batch,
      BitSet spans,
      String key,
      IntFunction<@Nullable String> value,
      BitSet withoutKeys) {
    return new SpanExcerpt(batch, withoutKeys).copied(spans, key, value);
  }

  private SpanBatch copied(BitSet spans, String key, IntFunction<@Nullable String> value) {
    int[] resources = new int[from.resources()];
    int[] scopes = new int[from.scopes()];
    Arrays.fill(resources, -1);
    Arrays.fill(scopes, -1);
    for (int span = spans.nextSetBit(0); span >= 0; span = spans.nextSetBit(span + 1)) {
      int scope = from.scope(span);
      if (scopes[scope] < 0) {
        int resource = from.scopeResource(scope);
        if (resources[resource] < 0) {
          resources[resource] = resource(resource, key, value.apply(resource));
        }
        scopes[scope] = scope(scope, resources[resource]);
      }
      span(span, scopes[scope]);
    }
    return to.build();
  }

  private int resource(int row, String key, @Nullable String value) {
    int copy = to.addResource();
    to.resourceSchemaUrl(copy, text(from.resourceSchemaUrl(row)));
    Attributes attributes = from.resourceAttributes();
    to.resourceDroppedAttributes(
        copy, from.resourceDroppedAttributes(row) + without(attributes, row));
    for (int i = attributes.begin(row); i < attributes.end(row); i++) {
      if (withoutKeys.get(attributes.key(i))) {
        continue;
      }
      if (value == null || !from.text(attributes.key(i)).equals(key)) {
        attribute(attributes, i, to.resourceAttributes(), copy);
      }
    }
    if (value != null) {
      to.resourceAttributes()
          .add(copy, to.table().intern(key), AttributeType.STRING, to.table().intern(value));
    }
    return copy;
  }

  private int scope(int row, int resource) {
    int copy = to.addScope(resource);
    to.scopeName(copy, text(from.scopeName(row)));
    to.scopeVersion(copy, text(from.scopeVersion(row)));
    to.scopeSchemaUrl(copy, text(from.scopeSchemaUrl(row)));
    to.scopeDroppedAttributes(copy, from.scopeDroppedAttributes(row));
    attributes(from.scopeAttributes(), row, to.scopeAttributes(), copy);
    return copy;
  }

  private void span(int row, int scope) {
    int copy = to.addSpan(scope);
    to.startNs(copy, from.startNs(row));
    to.durationNs(copy, from.durationNs(row));
    to.traceIdHigh(copy, from.traceIdHigh(row));
    to.traceIdLow(copy, from.traceIdLow(row));
    to.spanId(copy, from.spanId(row));
    to.parentSpanId(copy, from.parentSpanId(row));
    to.name(copy, text(from.name(row)));
    to.kind(copy, from.kind(row));
    to.statusCode(copy, from.statusCode(row));
    to.statusMessage(copy, text(from.statusMessage(row)));
    to.traceState(copy, text(from.traceState(row)));
    to.flags(copy, from.flags(row));
    to.droppedAttributes(copy, from.droppedAttributes(row) + without(from.spanAttributes(), row));
    to.droppedEvents(copy, from.droppedEvents(row));
    to.droppedLinks(copy, from.droppedLinks(row));
    for (int i = from.spanAttributes().begin(row); i < from.spanAttributes().end(row); i++) {
      if (!withoutKeys.get(from.spanAttributes().key(i))) {
        attribute(from.spanAttributes(), i, to.spanAttributes(), copy);
      }
    }
    for (int event = from.eventBegin(row); event < from.eventEnd(row); event++) {
      int eventCopy = to.addEvent(copy);
      to.eventTimeNs(eventCopy, from.eventTimeNs(event));
      to.eventName(eventCopy, text(from.eventName(event)));
      to.eventDroppedAttributes(eventCopy, from.eventDroppedAttributes(event));
      attributes(from.eventAttributes(), event, to.eventAttributes(), eventCopy);
    }
    for (int link = from.linkBegin(row); link < from.linkEnd(row); link++) {
      int linkCopy = to.addLink(copy);
      to.linkTraceIdHigh(linkCopy, from.linkTraceIdHigh(link));
      to.linkTraceIdLow(linkCopy, from.linkTraceIdLow(link));
      to.linkSpanId(linkCopy, from.linkSpanId(link));
      to.linkTraceState(linkCopy, text(from.linkTraceState(link)));
      to.linkFlags(linkCopy, from.linkFlags(link));
      to.linkDroppedAttributes(linkCopy, from.linkDroppedAttributes(link));
      attributes(from.linkAttributes(), link, to.linkAttributes(), linkCopy);
    }
  }

  private int without(Attributes of, int owner) {
    int count = 0;
    for (int i = of.begin(owner); i < of.end(owner); i++) {
      count += withoutKeys.get(of.key(i)) ? 1 : 0;
    }
    return count;
  }

  private void attributes(Attributes of, int owner, Attributes.Builder copies, int copy) {
    for (int i = of.begin(owner); i < of.end(owner); i++) {
      attribute(of, i, copies, copy);
    }
  }

  private void attribute(Attributes of, int row, Attributes.Builder copies, int copy) {
    byte type = of.type(row);
    long value = of.value(row);
    copies.add(
        copy, text(of.key(row)), type, AttributeType.isTableId(type) ? text((int) value) : value);
  }

  private int text(int id) {
    int known = texts[id];
    if (known == 0 && id != Utf8Table.EMPTY) {
      Utf8Table table = from.table();
      known = to.table().intern(table.backing(), table.offset(id), table.length(id));
      texts[id] = known;
    }
    return known;
  }
}
