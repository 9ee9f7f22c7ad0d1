package io.headspan.wire.otap;

import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/// Encodes trace batches for one gRPC stream, in the order they are sent. Dictionaries and schemas
/// live as long as the stream: a text goes over the wire once, later batches name it by number. Not
/// thread-safe.
///
/// Every batch that was encoded must reach the receiver, in order; after a failure start a new
/// stream with a new encoder. Large buffers are compressed, small ones and what describes them are
/// left to the compression of the gRPC message.
public final class OtapEncoder implements AutoCloseable {
  /// Most spans with attributes, events or links, most resources and most scopes in one batch.
  public static final int MAX_PARENTS = 65_535;

  private static final int NO_ID = -1;

  private final OtapHeaders headers = new OtapHeaders();
  private final IpcWriter out = new IpcWriter();
  private final SpanTable spans = new SpanTable();
  private final EventTable events = new EventTable();
  private final LinkTable links = new LinkTable();
  private final AttributeTable resourceAttributes =
      new AttributeTable(ArrowPayloadType.RESOURCE_ATTRS, Short.SIZE);
  private final AttributeTable scopeAttributes =
      new AttributeTable(ArrowPayloadType.SCOPE_ATTRS, Short.SIZE);
  private final AttributeTable spanAttributes =
      new AttributeTable(ArrowPayloadType.SPAN_ATTRS, Short.SIZE);
  private final AttributeTable eventAttributes =
      new AttributeTable(ArrowPayloadType.SPAN_EVENT_ATTRS, Integer.SIZE);
  private final AttributeTable linkAttributes =
      new AttributeTable(ArrowPayloadType.SPAN_LINK_ATTRS, Integer.SIZE);
  private boolean closed;

  /// Encodes one batch.
  ///
  /// @param batchId counts up over the stream
  /// @param batchHeaders sent with the batch; names in lower case
  /// @throws OtapException of kind LIMIT if there are more than [#MAX_PARENTS] of a kind; nothing
  ///   was encoded then, send the batch in parts
  public BatchArrowRecords encode(long batchId, SpanBatch batch, Map<String, String> batchHeaders) {
    if (closed) {
      throw OtapException.invalid("OTAP stream has ended; start another one");
    }
    Order order = new Order(batch);
    BatchArrowRecords.Builder records = BatchArrowRecords.newBuilder().setBatchId(batchId);
    if (batch.size() > 0) {
      // The Go receiver tells the signal by the first payload.
      records.addArrowPayloads(spans.payload(batch, order, out));
      add(records, resourceAttributes(batch, order), batch.table());
      add(records, scopeAttributes(batch, order), batch.table());
      add(records, spanAttributes(batch, order), batch.table());
      if (batch.events() > 0) {
        eventAttributes.start(batch.eventAttributes().size());
        records.addArrowPayloads(events.payload(batch, order, eventAttributes, out));
        add(records, eventAttributes, batch.table());
      }
      if (batch.links() > 0) {
        linkAttributes.start(batch.linkAttributes().size());
        records.addArrowPayloads(links.payload(batch, order, linkAttributes, out));
        add(records, linkAttributes, batch.table());
      }
    }
    return records.setHeaders(headers.encode(batchHeaders)).build();
  }

  @Override
  public void close() {
    closed = true;
    out.close();
  }

  private void add(BatchArrowRecords.Builder records, AttributeTable table, Utf8Table texts) {
    if (!table.isEmpty()) {
      records.addArrowPayloads(table.payload(texts, out));
    }
  }

  private AttributeTable resourceAttributes(SpanBatch batch, Order order) {
    Attributes attributes = batch.resourceAttributes();
    resourceAttributes.start(attributes.size());
    for (int id = 0; id < order.resources; id++) {
      resourceAttributes.add(attributes, order.resourceOfId[id], id);
    }
    return resourceAttributes;
  }

  private AttributeTable scopeAttributes(SpanBatch batch, Order order) {
    Attributes attributes = batch.scopeAttributes();
    scopeAttributes.start(attributes.size());
    for (int id = 0; id < order.scopes; id++) {
      scopeAttributes.add(attributes, order.scopeOfId[id], id);
    }
    return scopeAttributes;
  }

  private AttributeTable spanAttributes(SpanBatch batch, Order order) {
    Attributes attributes = batch.spanAttributes();
    spanAttributes.start(attributes.size());
    for (int span : order.spans) {
      if (order.idOfSpan[span] != NO_ID) {
        spanAttributes.add(attributes, span, order.idOfSpan[span]);
      }
    }
    return spanAttributes;
  }

  /// The order in which a batch is written: spans by resource, scope and name, otherwise as they
  /// were; ids by that order. Resources and scopes without spans are left out.
  private static final class Order {
    final int[] spans;
    final int[] idOfSpan;
    final int[] idOfScope;
    final int[] idOfResource;
    final int[] scopeOfId;
    final int[] resourceOfId;
    final int scopes;
    final int resources;

    Order(SpanBatch batch) {
      int[] spansOfScope = new int[batch.scopes()];
      for (int span = 0; span < batch.size(); span++) {
        spansOfScope[batch.scope(span)]++;
      }
      Integer[] sortedScopes = new Integer[batch.scopes()];
      Arrays.setAll(sortedScopes, scope -> scope);
      Arrays.sort(sortedScopes, Comparator.comparingInt(batch::scopeResource));
      idOfScope = new int[batch.scopes()];
      idOfResource = new int[batch.resources()];
      Arrays.fill(idOfResource, NO_ID);
      scopeOfId = new int[batch.scopes()];
      resourceOfId = new int[batch.resources()];
      int scopeId = 0;
      int resourceId = 0;
      for (int scope : sortedScopes) {
        if (spansOfScope[scope] == 0) {
          continue;
        }
        int resource = batch.scopeResource(scope);
        if (idOfResource[resource] == NO_ID) {
          resourceOfId[resourceId] = resource;
          idOfResource[resource] = resourceId++;
        }
        scopeOfId[scopeId] = scope;
        idOfScope[scope] = scopeId++;
      }
      scopes = scopeId;
      resources = resourceId;
      checkCount("resources", resources);
      checkCount("scopes", scopes);

      int[] byName = counted(batch, null, batch.table().size(), batch::name);
      spans = counted(batch, byName, scopes, span -> idOfScope[batch.scope(span)]);
      idOfSpan = new int[batch.size()];
      int id = 0;
      for (int span : spans) {
        Attributes attributes = batch.spanAttributes();
        boolean parent =
            attributes.begin(span) < attributes.end(span)
                || batch.eventBegin(span) < batch.eventEnd(span)
                || batch.linkBegin(span) < batch.linkEnd(span);
        idOfSpan[span] = parent ? id++ : NO_ID;
      }
      checkCount("spans with attributes, events or links", id);
    }

    private static int[] counted(
        SpanBatch batch, int @Nullable [] before, int bound, IntUnaryOperator keyOf) {
      int[] next = new int[bound + 1];
      for (int span = 0; span < batch.size(); span++) {
        next[keyOf.applyAsInt(span) + 1]++;
      }
      for (int key = 0; key < bound; key++) {
        next[key + 1] += next[key];
      }
      int[] sorted = new int[batch.size()];
      for (int i = 0; i < sorted.length; i++) {
        int span = before == null ? i : before[i];
        sorted[next[keyOf.applyAsInt(span)]++] = span;
      }
      return sorted;
    }

    private static void checkCount(String what, int count) {
      if (count > MAX_PARENTS) {
        throw new OtapException(
            OtapException.Kind.LIMIT,
            "too many "
                + what
                + " for one OTAP batch: count="
                + count
                + ", limit="
                + MAX_PARENTS
                + "; send the batch in parts");
      }
    }
  }

  /// The SPANS payload.
  private static final class SpanTable {
    private final OutColumn.Ints id = OutColumn.Ints.nullable("id", Short.SIZE);
    private final OutColumn.Ints resourceId = OutColumn.Ints.id("id");
    private final OutColumn.Texts resourceUrl = OutColumn.Texts.of("schema_url", true, 0);
    private final OutColumn.Ints resourceDropped = dropped("dropped_attributes_count");
    private final OutColumn.Ints scopeId = OutColumn.Ints.id("id");
    private final OutColumn.Texts scopeName = OutColumn.Texts.of("name", true, 1);
    private final OutColumn.Texts scopeVersion = OutColumn.Texts.of("version", true, 2);
    private final OutColumn.Ints scopeDropped = dropped("dropped_attributes_count");
    private final OutColumn.Texts scopeUrl = OutColumn.Texts.of("schema_url", true, 3);
    private final OutColumn.Longs start =
        new OutColumn.Longs("start_time_unix_nano", OutColumn.Longs.Of.TIMESTAMPS, false);
    private final OutColumn.Longs duration =
        new OutColumn.Longs("duration_time_unix_nano", OutColumn.Longs.Of.DURATIONS, false);
    private final OutColumn.Ids traceId = new OutColumn.Ids("trace_id", 16, false);
    private final OutColumn.Ids spanId = new OutColumn.Ids("span_id", 8, false);
    private final OutColumn.Texts traceState = OutColumn.Texts.of("trace_state", true, 4);
    private final OutColumn.Ids parentSpanId = new OutColumn.Ids("parent_span_id", 8, true);
    private final OutColumn.Ints flags = OutColumn.Ints.unsigned("flags", Integer.SIZE, true);
    private final OutColumn.Texts name = OutColumn.Texts.of("name", false, 5);
    private final OutColumn.Ints kind = OutColumn.Ints.signed("kind", true);
    private final OutColumn.Ints attributesDropped = dropped("dropped_attributes_count");
    private final OutColumn.Ints eventsDropped = dropped("dropped_events_count");
    private final OutColumn.Ints linksDropped = dropped("dropped_links_count");
    private final OutColumn.Ints statusCode = OutColumn.Ints.signed("code", true);
    private final OutColumn.Texts statusMessage = OutColumn.Texts.of("status_message", true, 6);
    private final OutTable table =
        new OutTable(
            ArrowPayloadType.SPANS,
            id,
            new OutColumn.Struct("resource", resourceId, resourceUrl, resourceDropped),
            new OutColumn.Struct("scope", scopeId, scopeName, scopeVersion, scopeDropped),
            scopeUrl,
            start,
            duration,
            traceId,
            spanId,
            traceState,
            parentSpanId,
            flags,
            name,
            kind,
            attributesDropped,
            eventsDropped,
            linksDropped,
            new OutColumn.Struct("status", statusCode, statusMessage));

    ArrowPayload payload(SpanBatch batch, Order order, IpcWriter out) {
      table.start(batch.size());
      int previousId = 0;
      int previousResource = 0;
      int previousScope = 0;
      for (int row = 0; row < order.spans.length; row++) {
        int span = order.spans[row];
        int scope = batch.scope(span);
        int resource = batch.scopeResource(scope);
        if (order.idOfSpan[span] != NO_ID) {
          id.set(row, order.idOfSpan[span] - previousId);
          previousId = order.idOfSpan[span];
        }
        resourceId.set(row, order.idOfResource[resource] - previousResource);
        previousResource = order.idOfResource[resource];
        resourceUrl.set(row, batch.resourceSchemaUrl(resource));
        resourceDropped.set(row, batch.resourceDroppedAttributes(resource));
        scopeId.set(row, order.idOfScope[scope] - previousScope);
        previousScope = order.idOfScope[scope];
        scopeName.set(row, batch.scopeName(scope));
        scopeVersion.set(row, batch.scopeVersion(scope));
        scopeDropped.set(row, batch.scopeDroppedAttributes(scope));
        scopeUrl.set(row, batch.scopeSchemaUrl(scope));
        start.set(row, batch.startNs(span));
        duration.set(row, batch.durationNs(span));
        traceId.set(row, batch.traceIdHigh(span), batch.traceIdLow(span));
        spanId.set(row, batch.spanId(span));
        traceState.set(row, batch.traceState(span));
        if (batch.parentSpanId(span) != 0) {
          parentSpanId.set(row, batch.parentSpanId(span));
        }
        flags.set(row, batch.flags(span));
        name.set(row, batch.name(span));
        kind.set(row, batch.kind(span));
        attributesDropped.set(row, batch.droppedAttributes(span));
        eventsDropped.set(row, batch.droppedEvents(span));
        linksDropped.set(row, batch.droppedLinks(span));
        statusCode.set(row, batch.statusCode(span));
        statusMessage.set(row, batch.statusMessage(span));
      }
      return table.payload(order.spans.length, batch.table(), out);
    }
  }

  /// The SPAN_EVENTS payload: sorted by name and parent.
  private static final class EventTable {
    private final OutColumn.Ints id = OutColumn.Ints.nullable("id", Integer.SIZE);
    private final OutColumn.Ints parent = OutColumn.Ints.unsigned("parent_id", Short.SIZE, false);
    private final OutColumn.Longs time =
        new OutColumn.Longs("time_unix_nano", OutColumn.Longs.Of.TIMESTAMPS, true);
    private final OutColumn.Texts name = OutColumn.Texts.of("name", false, 0);
    private final OutColumn.Ints dropped = dropped("dropped_attributes_count");
    private final OutTable table =
        new OutTable(ArrowPayloadType.SPAN_EVENTS, id, parent, time, name, dropped);

    ArrowPayload payload(SpanBatch batch, Order order, AttributeTable attributes, IpcWriter out) {
      int[] events = byParent(batch, order);
      int[] sorted = sortedByName(batch, events);
      table.start(sorted.length);
      int nextId = 0;
      int previous = NO_ID;
      for (int row = 0; row < sorted.length; row++) {
        int event = sorted[row];
        int parentId = order.idOfSpan[batch.eventSpan(event)];
        boolean continues =
            previous != NO_ID && batch.eventName(event) == batch.eventName(previous);
        int before = continues ? order.idOfSpan[batch.eventSpan(previous)] : 0;
        parent.set(row, parentId - before);
        name.set(row, batch.eventName(event));
        time.set(row, batch.eventTimeNs(event));
        dropped.set(row, batch.eventDroppedAttributes(event));
        Attributes all = batch.eventAttributes();
        if (all.begin(event) < all.end(event)) {
          id.set(row, nextId == 0 ? 0 : 1);
          attributes.add(all, event, nextId++);
        }
        previous = event;
      }
      return table.payload(sorted.length, batch.table(), out);
    }

    private static int[] byParent(SpanBatch batch, Order order) {
      int[] events = new int[batch.events()];
      int count = 0;
      for (int span : order.spans) {
        for (int event = batch.eventBegin(span); event < batch.eventEnd(span); event++) {
          events[count++] = event;
        }
      }
      return events;
    }

    private static int[] sortedByName(SpanBatch batch, int[] events) {
      int[] next = new int[batch.table().size() + 1];
      for (int event : events) {
        next[batch.eventName(event) + 1]++;
      }
      for (int name = 0; name < batch.table().size(); name++) {
        next[name + 1] += next[name];
      }
      int[] sorted = new int[events.length];
      for (int event : events) {
        sorted[next[batch.eventName(event)]++] = event;
      }
      return sorted;
    }
  }

  /// The SPAN_LINKS payload: sorted by trace id and parent.
  private static final class LinkTable {
    private final OutColumn.Ints id = OutColumn.Ints.nullable("id", Integer.SIZE);
    private final OutColumn.Ints parent = OutColumn.Ints.unsigned("parent_id", Short.SIZE, false);
    private final OutColumn.Ids traceId = new OutColumn.Ids("trace_id", 16, false);
    private final OutColumn.Ids spanId = new OutColumn.Ids("span_id", 8, false);
    private final OutColumn.Texts traceState = OutColumn.Texts.of("trace_state", true, 0);
    private final OutColumn.Ints dropped = dropped("dropped_attributes_count");
    private final OutColumn.Ints flags = OutColumn.Ints.unsigned("flags", Integer.SIZE, true);
    private final OutTable table =
        new OutTable(
            ArrowPayloadType.SPAN_LINKS, id, parent, traceId, spanId, traceState, dropped, flags);

    ArrowPayload payload(SpanBatch batch, Order order, AttributeTable attributes, IpcWriter out) {
      List<Integer> sorted = new ArrayList<>(batch.links());
      for (int span : order.spans) {
        for (int link = batch.linkBegin(span); link < batch.linkEnd(span); link++) {
          sorted.add(link);
        }
      }
      sorted.sort(
          Comparator.<Integer>comparingLong(batch::linkTraceIdHigh)
              .thenComparingLong(batch::linkTraceIdLow));
      table.start(sorted.size());
      int nextId = 0;
      int previous = NO_ID;
      for (int row = 0; row < sorted.size(); row++) {
        int link = sorted.get(row);
        int parentId = order.idOfSpan[batch.linkSpan(link)];
        boolean continues =
            previous != NO_ID
                && batch.linkTraceIdHigh(link) == batch.linkTraceIdHigh(previous)
                && batch.linkTraceIdLow(link) == batch.linkTraceIdLow(previous);
        int before = continues ? order.idOfSpan[batch.linkSpan(previous)] : 0;
        parent.set(row, parentId - before);
        traceId.set(row, batch.linkTraceIdHigh(link), batch.linkTraceIdLow(link));
        spanId.set(row, batch.linkSpanId(link));
        traceState.set(row, batch.linkTraceState(link));
        dropped.set(row, batch.linkDroppedAttributes(link));
        flags.set(row, batch.linkFlags(link));
        Attributes all = batch.linkAttributes();
        if (all.begin(link) < all.end(link)) {
          id.set(row, nextId == 0 ? 0 : 1);
          attributes.add(all, link, nextId++);
        }
        previous = link;
      }
      return table.payload(sorted.size(), batch.table(), out);
    }
  }

  private static OutColumn.Ints dropped(String name) {
    return OutColumn.Ints.unsigned(name, Integer.SIZE, true);
  }
}
