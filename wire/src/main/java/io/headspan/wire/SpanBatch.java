package io.headspan.wire;

import java.util.Arrays;

/// Spans as columns: what a receiver decodes, what the store writes and what the agent sends, with
/// no object per span. Column `x` of row `r` is `x(r)`.
///
/// Texts are ids into [#table()]. Spans name a scope, scopes name a resource; both are stored once.
/// Attributes are in [Attributes], by owner. Events and links name their span and come in ascending
/// order of it: those of span `s` are rows `eventBegin(s)` to `eventEnd(s)`.
///
/// Immutable once built; safe to read from any thread if handed over safely. Made by [Builder].
public final class SpanBatch {
  private final Utf8Table table;
  private final int spans;
  private final long[] startNs;
  private final long[] durationNs;
  private final long[] traceIdHigh;
  private final long[] traceIdLow;
  private final long[] spanId;
  private final long[] parentSpanId;
  private final int[] name;
  private final byte[] kind;
  private final byte[] statusCode;
  private final int[] statusMessage;
  private final int[] traceState;
  private final int[] flags;
  private final int[] droppedAttributes;
  private final int[] droppedEvents;
  private final int[] droppedLinks;
  private final int[] scope;
  private final int resources;
  private final int[] resourceSchemaUrl;
  private final int[] resourceDroppedAttributes;
  private final int scopes;
  private final int[] scopeResource;
  private final int[] scopeName;
  private final int[] scopeVersion;
  private final int[] scopeSchemaUrl;
  private final int[] scopeDroppedAttributes;
  private final int events;
  private final int[] eventSpan;
  private final long[] eventTimeNs;
  private final int[] eventName;
  private final int[] eventDroppedAttributes;
  private final int links;
  private final int[] linkSpan;
  private final long[] linkTraceIdHigh;
  private final long[] linkTraceIdLow;
  private final long[] linkSpanId;
  private final int[] linkTraceState;
  private final int[] linkFlags;
  private final int[] linkDroppedAttributes;
  private final int[] eventOffsets;
  private final int[] linkOffsets;
  private final Attributes spanAttributes;
  private final Attributes resourceAttributes;
  private final Attributes scopeAttributes;
  private final Attributes eventAttributes;
  private final Attributes linkAttributes;

  private SpanBatch(Builder b) {
    table = b.table;
    spans = b.spans;
    startNs = trimmed(b.startNs, spans);
    durationNs = trimmed(b.durationNs, spans);
    traceIdHigh = trimmed(b.traceIdHigh, spans);
    traceIdLow = trimmed(b.traceIdLow, spans);
    spanId = trimmed(b.spanId, spans);
    parentSpanId = trimmed(b.parentSpanId, spans);
    name = trimmed(b.name, spans);
    kind = trimmed(b.kind, spans);
    statusCode = trimmed(b.statusCode, spans);
    statusMessage = trimmed(b.statusMessage, spans);
    traceState = trimmed(b.traceState, spans);
    flags = trimmed(b.flags, spans);
    droppedAttributes = trimmed(b.droppedAttributes, spans);
    droppedEvents = trimmed(b.droppedEvents, spans);
    droppedLinks = trimmed(b.droppedLinks, spans);
    scope = trimmed(b.scope, spans);
    resources = b.resources;
    resourceSchemaUrl = trimmed(b.resourceSchemaUrl, resources);
    resourceDroppedAttributes = trimmed(b.resourceDroppedAttributes, resources);
    scopes = b.scopes;
    scopeResource = trimmed(b.scopeResource, scopes);
    scopeName = trimmed(b.scopeName, scopes);
    scopeVersion = trimmed(b.scopeVersion, scopes);
    scopeSchemaUrl = trimmed(b.scopeSchemaUrl, scopes);
    scopeDroppedAttributes = trimmed(b.scopeDroppedAttributes, scopes);
    events = b.events;
    eventSpan = trimmed(b.eventSpan, events);
    eventTimeNs = trimmed(b.eventTimeNs, events);
    eventName = trimmed(b.eventName, events);
    eventDroppedAttributes = trimmed(b.eventDroppedAttributes, events);
    links = b.links;
    linkSpan = trimmed(b.linkSpan, links);
    linkTraceIdHigh = trimmed(b.linkTraceIdHigh, links);
    linkTraceIdLow = trimmed(b.linkTraceIdLow, links);
    linkSpanId = trimmed(b.linkSpanId, links);
    linkTraceState = trimmed(b.linkTraceState, links);
    linkFlags = trimmed(b.linkFlags, links);
    linkDroppedAttributes = trimmed(b.linkDroppedAttributes, links);
    eventOffsets = offsets(eventSpan, spans, "event");
    linkOffsets = offsets(linkSpan, spans, "link");
    spanAttributes = b.spanAttributes.build(spans);
    resourceAttributes = b.resourceAttributes.build(resources);
    scopeAttributes = b.scopeAttributes.build(scopes);
    eventAttributes = b.eventAttributes.build(events);
    linkAttributes = b.linkAttributes.build(links);
  }

  /// The texts that ids refer to.
  public Utf8Table table() {
    return table;
  }

  /// Number of spans.
  public int size() {
    return spans;
  }

  /// The text of id `id`; short for `table().string(id)`.
  public String text(int id) {
    return table.string(id);
  }

  /// Start, ns since the Unix epoch.
  public long startNs(int row) {
    return startNs[row];
  }

  /// End minus start, ns.
  public long durationNs(int row) {
    return durationNs[row];
  }

  /// First 8 bytes of the trace id, big-endian.
  public long traceIdHigh(int row) {
    return traceIdHigh[row];
  }

  /// Last 8 bytes of the trace id, big-endian.
  public long traceIdLow(int row) {
    return traceIdLow[row];
  }

  /// Span id, big-endian; 0 if the sender gave none.
  public long spanId(int row) {
    return spanId[row];
  }

  /// Parent span id, big-endian; 0 for a root.
  public long parentSpanId(int row) {
    return parentSpanId[row];
  }

  /// Table id.
  public int name(int row) {
    return name[row];
  }

  /// OTLP number, 0 unspecified to 5 consumer.
  public byte kind(int row) {
    return kind[row];
  }

  /// OTLP number: 0 unset, 1 ok, 2 error.
  public byte statusCode(int row) {
    return statusCode[row];
  }

  /// Table id.
  public int statusMessage(int row) {
    return statusMessage[row];
  }

  /// Table id of the W3C tracestate.
  public int traceState(int row) {
    return traceState[row];
  }

  /// OTLP flags, W3C trace flags in the low 8 bits.
  public int flags(int row) {
    return flags[row];
  }

  /// Unsigned count.
  public int droppedAttributes(int row) {
    return droppedAttributes[row];
  }

  /// Unsigned count.
  public int droppedEvents(int row) {
    return droppedEvents[row];
  }

  /// Unsigned count.
  public int droppedLinks(int row) {
    return droppedLinks[row];
  }

  /// Index of the span's scope; its resource is `scopeResource(scope)`.
  public int scope(int row) {
    return scope[row];
  }

  /// Number of resources.
  public int resources() {
    return resources;
  }

  /// Table id.
  public int resourceSchemaUrl(int row) {
    return resourceSchemaUrl[row];
  }

  /// Unsigned count.
  public int resourceDroppedAttributes(int row) {
    return resourceDroppedAttributes[row];
  }

  /// Number of scopes.
  public int scopes() {
    return scopes;
  }

  /// Index of the scope's resource.
  public int scopeResource(int row) {
    return scopeResource[row];
  }

  /// Table id.
  public int scopeName(int row) {
    return scopeName[row];
  }

  /// Table id.
  public int scopeVersion(int row) {
    return scopeVersion[row];
  }

  /// Table id of the schema URL of the ScopeSpans.
  public int scopeSchemaUrl(int row) {
    return scopeSchemaUrl[row];
  }

  /// Unsigned count.
  public int scopeDroppedAttributes(int row) {
    return scopeDroppedAttributes[row];
  }

  /// Number of events.
  public int events() {
    return events;
  }

  /// Row of the span that has the event.
  public int eventSpan(int row) {
    return eventSpan[row];
  }

  /// ns since the Unix epoch.
  public long eventTimeNs(int row) {
    return eventTimeNs[row];
  }

  /// Table id.
  public int eventName(int row) {
    return eventName[row];
  }

  /// Unsigned count.
  public int eventDroppedAttributes(int row) {
    return eventDroppedAttributes[row];
  }

  /// Number of links.
  public int links() {
    return links;
  }

  /// Row of the span that has the link.
  public int linkSpan(int row) {
    return linkSpan[row];
  }

  /// First 8 bytes of the linked trace id.
  public long linkTraceIdHigh(int row) {
    return linkTraceIdHigh[row];
  }

  /// Last 8 bytes of the linked trace id.
  public long linkTraceIdLow(int row) {
    return linkTraceIdLow[row];
  }

  /// Linked span id.
  public long linkSpanId(int row) {
    return linkSpanId[row];
  }

  /// Table id.
  public int linkTraceState(int row) {
    return linkTraceState[row];
  }

  /// OTLP flags.
  public int linkFlags(int row) {
    return linkFlags[row];
  }

  /// Unsigned count.
  public int linkDroppedAttributes(int row) {
    return linkDroppedAttributes[row];
  }

  /// First event row of span `span`.
  public int eventBegin(int span) {
    return eventOffsets[span];
  }

  /// Row after the last event of span `span`.
  public int eventEnd(int span) {
    return eventOffsets[span + 1];
  }

  /// First link row of span `span`.
  public int linkBegin(int span) {
    return linkOffsets[span];
  }

  /// Row after the last link of span `span`.
  public int linkEnd(int span) {
    return linkOffsets[span + 1];
  }

  public Attributes spanAttributes() {
    return spanAttributes;
  }

  public Attributes resourceAttributes() {
    return resourceAttributes;
  }

  public Attributes scopeAttributes() {
    return scopeAttributes;
  }

  public Attributes eventAttributes() {
    return eventAttributes;
  }

  public Attributes linkAttributes() {
    return linkAttributes;
  }

  private static long[] trimmed(long[] column, int size) {
    return column.length == size ? column : Arrays.copyOf(column, size);
  }

  private static int[] trimmed(int[] column, int size) {
    return column.length == size ? column : Arrays.copyOf(column, size);
  }

  private static byte[] trimmed(byte[] column, int size) {
    return column.length == size ? column : Arrays.copyOf(column, size);
  }

  private static int[] offsets(int[] owners, int ownerCount, String what) {
    int[] offsets = new int[ownerCount + 1];
    int previous = 0;
    for (int owner : owners) {
      if (owner < previous || owner >= ownerCount) {
        throw new IllegalStateException(
            what
                + "s not in ascending order of their span: span="
                + owner
                + ", after="
                + previous
                + ", spans="
                + ownerCount);
      }
      offsets[owner + 1]++;
      previous = owner;
    }
    for (int i = 0; i < ownerCount; i++) {
      offsets[i + 1] += offsets[i];
    }
    return offsets;
  }

  /// Builds a batch row by row: `addResource`, `addScope`, `addSpan` each start a row of default
  /// values and return its index; the setters fill any row already started. Resources and scopes
  /// may be added at any time before a span names them. Events and links are added for spans in
  /// ascending order. Not thread-safe.
  public static final class Builder {
    private final Utf8Table table = new Utf8Table();
    private final Attributes.Builder spanAttributes = new Attributes.Builder();
    private final Attributes.Builder resourceAttributes = new Attributes.Builder();
    private final Attributes.Builder scopeAttributes = new Attributes.Builder();
    private final Attributes.Builder eventAttributes = new Attributes.Builder();
    private final Attributes.Builder linkAttributes = new Attributes.Builder();
    private int spans;
    private long[] startNs;
    private long[] durationNs;
    private long[] traceIdHigh;
    private long[] traceIdLow;
    private long[] spanId;
    private long[] parentSpanId;
    private int[] name;
    private byte[] kind;
    private byte[] statusCode;
    private int[] statusMessage;
    private int[] traceState;
    private int[] flags;
    private int[] droppedAttributes;
    private int[] droppedEvents;
    private int[] droppedLinks;
    private int[] scope;
    private int resources;
    private int[] resourceSchemaUrl = new int[4];
    private int[] resourceDroppedAttributes = new int[4];
    private int scopes;
    private int[] scopeResource = new int[4];
    private int[] scopeName = new int[4];
    private int[] scopeVersion = new int[4];
    private int[] scopeSchemaUrl = new int[4];
    private int[] scopeDroppedAttributes = new int[4];
    private int events;
    private int[] eventSpan = new int[16];
    private long[] eventTimeNs = new long[16];
    private int[] eventName = new int[16];
    private int[] eventDroppedAttributes = new int[16];
    private int links;
    private int[] linkSpan = new int[16];
    private long[] linkTraceIdHigh = new long[16];
    private long[] linkTraceIdLow = new long[16];
    private long[] linkSpanId = new long[16];
    private int[] linkTraceState = new int[16];
    private int[] linkFlags = new int[16];
    private int[] linkDroppedAttributes = new int[16];

    /// A builder of a batch of any size.
    public Builder() {
      this(256);
    }

    /// A builder with room for `spans` spans, and for more.
    public Builder(int spans) {
      startNs = new long[spans];
      durationNs = new long[spans];
      traceIdHigh = new long[spans];
      traceIdLow = new long[spans];
      spanId = new long[spans];
      parentSpanId = new long[spans];
      name = new int[spans];
      kind = new byte[spans];
      statusCode = new byte[spans];
      statusMessage = new int[spans];
      traceState = new int[spans];
      flags = new int[spans];
      droppedAttributes = new int[spans];
      droppedEvents = new int[spans];
      droppedLinks = new int[spans];
      scope = new int[spans];
    }

    /// The table that ids given to setters refer to.
    public Utf8Table table() {
      return table;
    }

    /// Number of spans so far.
    public int size() {
      return spans;
    }

    /// Number of resources so far.
    public int resources() {
      return resources;
    }

    /// Number of scopes so far.
    public int scopes() {
      return scopes;
    }

    /// Starts a resource and returns its index.
    public int addResource() {
      growResources();
      return resources++;
    }

    /// Starts a scope of `resource` and returns its index.
    public int addScope(int resource) {
      growScopes();
      scopeResource[scopes] = resource;
      return scopes++;
    }

    /// Starts a span of `scope` and returns its row.
    public int addSpan(int scope) {
      growSpans();
      this.scope[spans] = scope;
      return spans++;
    }

    /// Starts an event of `span` and returns its row.
    public int addEvent(int span) {
      growEvents();
      eventSpan[events] = span;
      return events++;
    }

    /// Starts a link of `span` and returns its row.
    public int addLink(int span) {
      growLinks();
      linkSpan[links] = span;
      return links++;
    }

    /// Where attributes of spans are added, by index of the span.
    public Attributes.Builder spanAttributes() {
      return spanAttributes;
    }

    /// Where attributes of resources are added, by index of the resource.
    public Attributes.Builder resourceAttributes() {
      return resourceAttributes;
    }

    /// Where attributes of scopes are added, by index of the scope.
    public Attributes.Builder scopeAttributes() {
      return scopeAttributes;
    }

    /// Where attributes of events are added, by index of the event.
    public Attributes.Builder eventAttributes() {
      return eventAttributes;
    }

    /// Where attributes of links are added, by index of the link.
    public Attributes.Builder linkAttributes() {
      return linkAttributes;
    }

    /// Start, ns since the Unix epoch.
    public void startNs(int row, long value) {
      startNs[row] = value;
    }

    /// End minus start, ns.
    public void durationNs(int row, long value) {
      durationNs[row] = value;
    }

    /// First 8 bytes of the trace id, big-endian.
    public void traceIdHigh(int row, long value) {
      traceIdHigh[row] = value;
    }

    /// Last 8 bytes of the trace id, big-endian.
    public void traceIdLow(int row, long value) {
      traceIdLow[row] = value;
    }

    /// Span id, big-endian; 0 if the sender gave none.
    public void spanId(int row, long value) {
      spanId[row] = value;
    }

    /// Parent span id, big-endian; 0 for a root.
    public void parentSpanId(int row, long value) {
      parentSpanId[row] = value;
    }

    /// Table id.
    public void name(int row, int value) {
      name[row] = value;
    }

    /// OTLP number, 0 unspecified to 5 consumer.
    public void kind(int row, byte value) {
      kind[row] = value;
    }

    /// OTLP number: 0 unset, 1 ok, 2 error.
    public void statusCode(int row, byte value) {
      statusCode[row] = value;
    }

    /// Table id.
    public void statusMessage(int row, int value) {
      statusMessage[row] = value;
    }

    /// Table id of the W3C tracestate.
    public void traceState(int row, int value) {
      traceState[row] = value;
    }

    /// OTLP flags, W3C trace flags in the low 8 bits.
    public void flags(int row, int value) {
      flags[row] = value;
    }

    /// Unsigned count.
    public void droppedAttributes(int row, int value) {
      droppedAttributes[row] = value;
    }

    /// Unsigned count.
    public void droppedEvents(int row, int value) {
      droppedEvents[row] = value;
    }

    /// Unsigned count.
    public void droppedLinks(int row, int value) {
      droppedLinks[row] = value;
    }

    /// Table id.
    public void resourceSchemaUrl(int row, int value) {
      resourceSchemaUrl[row] = value;
    }

    /// Unsigned count.
    public void resourceDroppedAttributes(int row, int value) {
      resourceDroppedAttributes[row] = value;
    }

    /// Table id.
    public void scopeName(int row, int value) {
      scopeName[row] = value;
    }

    /// Table id.
    public void scopeVersion(int row, int value) {
      scopeVersion[row] = value;
    }

    /// Table id of the schema URL of the ScopeSpans.
    public void scopeSchemaUrl(int row, int value) {
      scopeSchemaUrl[row] = value;
    }

    /// Unsigned count.
    public void scopeDroppedAttributes(int row, int value) {
      scopeDroppedAttributes[row] = value;
    }

    /// ns since the Unix epoch.
    public void eventTimeNs(int row, long value) {
      eventTimeNs[row] = value;
    }

    /// Table id.
    public void eventName(int row, int value) {
      eventName[row] = value;
    }

    /// Unsigned count.
    public void eventDroppedAttributes(int row, int value) {
      eventDroppedAttributes[row] = value;
    }

    /// First 8 bytes of the linked trace id.
    public void linkTraceIdHigh(int row, long value) {
      linkTraceIdHigh[row] = value;
    }

    /// Last 8 bytes of the linked trace id.
    public void linkTraceIdLow(int row, long value) {
      linkTraceIdLow[row] = value;
    }

    /// Linked span id.
    public void linkSpanId(int row, long value) {
      linkSpanId[row] = value;
    }

    /// Table id.
    public void linkTraceState(int row, int value) {
      linkTraceState[row] = value;
    }

    /// OTLP flags.
    public void linkFlags(int row, int value) {
      linkFlags[row] = value;
    }

    /// Unsigned count.
    public void linkDroppedAttributes(int row, int value) {
      linkDroppedAttributes[row] = value;
    }

    /// The batch. The builder must not be used afterwards.
    ///
    /// @throws IllegalStateException if events or links are out of order
    /// @throws IllegalArgumentException if an attribute names an owner that does not exist
    public SpanBatch build() {
      return new SpanBatch(this);
    }

    private void growSpans() {
      if (spans < startNs.length) {
        return;
      }
      int capacity = 2 * spans + 16;
      startNs = Arrays.copyOf(startNs, capacity);
      durationNs = Arrays.copyOf(durationNs, capacity);
      traceIdHigh = Arrays.copyOf(traceIdHigh, capacity);
      traceIdLow = Arrays.copyOf(traceIdLow, capacity);
      spanId = Arrays.copyOf(spanId, capacity);
      parentSpanId = Arrays.copyOf(parentSpanId, capacity);
      name = Arrays.copyOf(name, capacity);
      kind = Arrays.copyOf(kind, capacity);
      statusCode = Arrays.copyOf(statusCode, capacity);
      statusMessage = Arrays.copyOf(statusMessage, capacity);
      traceState = Arrays.copyOf(traceState, capacity);
      flags = Arrays.copyOf(flags, capacity);
      droppedAttributes = Arrays.copyOf(droppedAttributes, capacity);
      droppedEvents = Arrays.copyOf(droppedEvents, capacity);
      droppedLinks = Arrays.copyOf(droppedLinks, capacity);
      scope = Arrays.copyOf(scope, capacity);
    }

    private void growResources() {
      if (resources < resourceSchemaUrl.length) {
        return;
      }
      int capacity = 2 * resources;
      resourceSchemaUrl = Arrays.copyOf(resourceSchemaUrl, capacity);
      resourceDroppedAttributes = Arrays.copyOf(resourceDroppedAttributes, capacity);
    }

    private void growScopes() {
      if (scopes < scopeResource.length) {
        return;
      }
      int capacity = 2 * scopes;
      scopeResource = Arrays.copyOf(scopeResource, capacity);
      scopeName = Arrays.copyOf(scopeName, capacity);
      scopeVersion = Arrays.copyOf(scopeVersion, capacity);
      scopeSchemaUrl = Arrays.copyOf(scopeSchemaUrl, capacity);
      scopeDroppedAttributes = Arrays.copyOf(scopeDroppedAttributes, capacity);
    }

    private void growEvents() {
      if (events < eventSpan.length) {
        return;
      }
      int capacity = 2 * events;
      eventSpan = Arrays.copyOf(eventSpan, capacity);
      eventTimeNs = Arrays.copyOf(eventTimeNs, capacity);
      eventName = Arrays.copyOf(eventName, capacity);
      eventDroppedAttributes = Arrays.copyOf(eventDroppedAttributes, capacity);
    }

    private void growLinks() {
      if (links < linkSpan.length) {
        return;
      }
      int capacity = 2 * links;
      linkSpan = Arrays.copyOf(linkSpan, capacity);
      linkTraceIdHigh = Arrays.copyOf(linkTraceIdHigh, capacity);
      linkTraceIdLow = Arrays.copyOf(linkTraceIdLow, capacity);
      linkSpanId = Arrays.copyOf(linkSpanId, capacity);
      linkTraceState = Arrays.copyOf(linkTraceState, capacity);
      linkFlags = Arrays.copyOf(linkFlags, capacity);
      linkDroppedAttributes = Arrays.copyOf(linkDroppedAttributes, capacity);
    }
  }
}
