package io.headspan.wire.otap;

import io.headspan.wire.Attributes;
import io.headspan.wire.CborReader;
import io.headspan.wire.CborWriter;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Puts the tables of one OTAP batch together to a [SpanBatch]: spans first, then events and links,
/// then attributes. Each column is decoded as a whole and copied into the batch's column.
final class BatchRows implements Dictionary.Interner {
  /// Most resources and most scopes: as many as their ids can tell apart.
  private static final int MAX_OWNERS = 1 << 16;

  private final long number;
  private final SpanBatch.Builder batch;
  private final Utf8Table table;
  private final AttributeRows attributes;
  private final CborReader cborReader = new CborReader();
  private final CborWriter cborWriter = new CborWriter();
  private final int[] ints;
  private final long[] longs;
  private OwnerIndex resources = new OwnerIndex(new long[0], 0);
  private OwnerIndex scopes = resources;
  private OwnerIndex spans = resources;
  private OwnerIndex events = resources;
  private OwnerIndex links = resources;
  private long ignored;

  /// @param number different for every batch of the stream
  BatchRows(long number, int spanRows) {
    this.number = number;
    batch = new SpanBatch.Builder(spanRows);
    table = batch.table();
    attributes = new AttributeRows(this, table);
    ints = new int[spanRows];
    longs = new long[spanRows];
  }

  @Override
  public long batch() {
    return number;
  }

  @Override
  public int text(byte[] source, int offset, int length) {
    return table.intern(source, offset, length);
  }

  @Override
  public int container(byte[] source, int offset, int length) {
    cborWriter.reset();
    cborReader.reset(source, offset, length).copyTo(cborWriter);
    return cborWriter.internInto(table);
  }

  SpanBatch build() {
    return batch.build();
  }

  /// Rows left out because they belong to nothing.
  long ignored() {
    return ignored + attributes.ignored();
  }

  void attributes(ArrowPayloadType type, ArrowTable rows) {
    switch (type) {
      case RESOURCE_ATTRS -> attributes.decode(rows, resources, batch.resourceAttributes());
      case SCOPE_ATTRS -> attributes.decode(rows, scopes, batch.scopeAttributes());
      case SPAN_ATTRS -> attributes.decode(rows, spans, batch.spanAttributes());
      case SPAN_EVENT_ATTRS -> attributes.decode(rows, events, batch.eventAttributes());
      case SPAN_LINK_ATTRS -> attributes.decode(rows, links, batch.linkAttributes());
      default -> {} // not attributes
    }
  }

  void spans(ArrowTable rows) {
    int n = rows.rows();
    scopes(rows);
    long[] ids = IdColumns.ids(rows.find("id"), n);
    spans = new OwnerIndex(ids, n);
    if (spans.hasDuplicates()) {
      throw OtapException.invalid(
          "two spans of one id in a batch: spans=" + n + "; give each an id of its own");
    }
    Column traceId = rows.require("trace_id");
    Column spanId = rows.require("span_id");
    checkNoNulls(traceId);
    checkNoNulls(spanId);
    traceId.ids(16, 0, longs);
    for (int row = 0; row < n; row++) {
      batch.traceIdHigh(row, longs[row]);
    }
    traceId.ids(16, Long.BYTES, longs);
    for (int row = 0; row < n; row++) {
      batch.traceIdLow(row, longs[row]);
    }
    spanId.ids(Long.BYTES, 0, longs);
    for (int row = 0; row < n; row++) {
      batch.spanId(row, longs[row]);
    }
    Column parentSpanId = rows.find("parent_span_id");
    if (parentSpanId != null) {
      parentSpanId.ids(Long.BYTES, 0, longs);
      for (int row = 0; row < n; row++) {
        batch.parentSpanId(row, longs[row]);
      }
    }
    rows.require("start_time_unix_nano").longs(0, n, longs);
    for (int row = 0; row < n; row++) {
      batch.startNs(row, longs[row]);
    }
    rows.require("duration_time_unix_nano").longs(0, n, longs);
    for (int row = 0; row < n; row++) {
      batch.durationNs(row, longs[row]);
    }
    rows.require("name").texts(0, n, ints, this);
    for (int row = 0; row < n; row++) {
      batch.name(row, ints[row]);
    }
    text(rows.find("trace_state"), n, batch::traceState);
    text(rows.find("status", "status_message"), n, batch::statusMessage);
    number(rows.find("kind"), n, (row, value) -> batch.kind(row, knownEnum(value)));
    number(rows.find("status", "code"), n, (row, value) -> batch.statusCode(row, knownEnum(value)));
    number(rows.find("flags"), n, batch::flags);
    number(rows.find("dropped_attributes_count"), n, batch::droppedAttributes);
    number(rows.find("dropped_events_count"), n, batch::droppedEvents);
    number(rows.find("dropped_links_count"), n, batch::droppedLinks);
  }

  void events(ArrowTable rows) {
    int n = rows.rows();
    if (n == 0) {
      return;
    }
    long[] ids = IdColumns.ids(rows.find("id"), n);
    int[] names = new int[n];
    rows.require("name").texts(0, n, names, this);
    long[] parents = new long[n];
    Column parent = rows.require("parent_id");
    parent.longs(0, n, parents);
    IdColumns.sumParents(parent, parents, (row, previous) -> names[row] == names[previous]);
    int[] order = bySpan(parents);
    long[] times = new long[n];
    long[] dropped = new long[n];
    numbers(rows.find("time_unix_nano"), times);
    numbers(rows.find("dropped_attributes_count"), dropped);
    long[] orderedIds = new long[order.length];
    for (int i = 0; i < order.length; i++) {
      int row = order[i];
      int event = batch.addEvent(spans.first(parents[row]));
      batch.eventName(event, names[row]);
      batch.eventTimeNs(event, times[row]);
      batch.eventDroppedAttributes(event, (int) dropped[row]);
      orderedIds[i] = ids[row];
    }
    events = new OwnerIndex(orderedIds, order.length);
  }

  void links(ArrowTable rows) {
    int n = rows.rows();
    if (n == 0) {
      return;
    }
    long[] ids = IdColumns.ids(rows.find("id"), n);
    long[] high = new long[n];
    long[] low = new long[n];
    long[] spanIds = new long[n];
    Column traceId = rows.require("trace_id");
    traceId.ids(16, 0, high);
    traceId.ids(16, Long.BYTES, low);
    rows.require("span_id").ids(Long.BYTES, 0, spanIds);
    long[] parents = new long[n];
    Column parent = rows.require("parent_id");
    parent.longs(0, n, parents);
    IdColumns.sumParents(
        parent,
        parents,
        (row, previous) -> high[row] == high[previous] && low[row] == low[previous]);
    int[] order = bySpan(parents);
    int[] traceStates = new int[n];
    Column traceState = rows.find("trace_state");
    if (traceState != null) {
      traceState.texts(0, n, traceStates, this);
    }
    long[] flags = new long[n];
    long[] dropped = new long[n];
    numbers(rows.find("flags"), flags);
    numbers(rows.find("dropped_attributes_count"), dropped);
    long[] orderedIds = new long[order.length];
    for (int i = 0; i < order.length; i++) {
      int row = order[i];
      int link = batch.addLink(spans.first(parents[row]));
      batch.linkTraceIdHigh(link, high[row]);
      batch.linkTraceIdLow(link, low[row]);
      batch.linkSpanId(link, spanIds[row]);
      batch.linkTraceState(link, traceStates[row]);
      batch.linkFlags(link, (int) flags[row]);
      batch.linkDroppedAttributes(link, (int) dropped[row]);
      orderedIds[i] = ids[row];
    }
    links = new OwnerIndex(orderedIds, order.length);
  }

  /// The rows' resources and scopes alone, for records that are no spans: row i is span i, of which
  /// nothing but its scope is set.
  void owners(ArrowTable rows) {
    scopes(rows);
  }

  /// Attributes of owners that are no spans, by the owner's place in `owners`.
  Attributes attributes(List<ArrowTable> tables, OwnerIndex owners, int count) {
    Attributes.Builder collected = new Attributes.Builder();
    for (ArrowTable each : tables) {
      attributes.decode(each, owners, collected);
    }
    return collected.build(count);
  }

  /// Values of a table that has a column for each type of value.
  long[] values(ArrowTable rows, long[] types) {
    return attributes.values(rows, types);
  }

  Utf8Table table() {
    return table;
  }

  /// Starts a span in every row, with its resource and scope. Both are told apart by id and by what
  /// the span's row says of them, since a sender may leave out the id of one without attributes. A
  /// row without an id belongs to the resource or scope before it.
  private void scopes(ArrowTable rows) {
    int n = rows.rows();
    long[] resourceIds = carriedIds(rows.find("resource", "id"), n);
    int[] resourceUrls = texts(rows.find("resource", "schema_url"), n);
    long[] resourceDropped = new long[n];
    numbers(rows.find("resource", "dropped_attributes_count"), resourceDropped);
    long[] scopeIds = carriedIds(rows.find("scope", "id"), n);
    int[] names = texts(rows.find("scope", "name"), n);
    int[] versions = texts(rows.find("scope", "version"), n);
    int[] scopeUrls = texts(rows.find("schema_url"), n);
    long[] scopeDropped = new long[n];
    numbers(rows.find("scope", "dropped_attributes_count"), scopeDropped);

    Map<ResourceKey, Integer> knownResources = new HashMap<>();
    Map<ScopeKey, Integer> knownScopes = new HashMap<>();
    long[] idsOfResources = new long[16];
    long[] idsOfScopes = new long[16];
    int resource = -1;
    int scope = -1;
    for (int row = 0; row < n; row++) {
      boolean sameResource =
          row > 0
              && resourceIds[row] == resourceIds[row - 1]
              && resourceUrls[row] == resourceUrls[row - 1]
              && resourceDropped[row] == resourceDropped[row - 1];
      if (!sameResource) {
        ResourceKey key =
            new ResourceKey(resourceIds[row], resourceUrls[row], (int) resourceDropped[row]);
        Integer known = knownResources.get(key);
        if (known == null) {
          resource = batch.addResource();
          batch.resourceSchemaUrl(resource, key.schemaUrl);
          batch.resourceDroppedAttributes(resource, key.dropped);
          idsOfResources = with(idsOfResources, resource, key.id);
          knownResources.put(key, resource);
        } else {
          resource = known;
        }
      }
      boolean sameScope =
          sameResource
              && scopeIds[row] == scopeIds[row - 1]
              && names[row] == names[row - 1]
              && versions[row] == versions[row - 1]
              && scopeUrls[row] == scopeUrls[row - 1]
              && scopeDropped[row] == scopeDropped[row - 1];
      if (!sameScope) {
        ScopeKey key =
            new ScopeKey(
                resource,
                scopeIds[row],
                names[row],
                versions[row],
                scopeUrls[row],
                (int) scopeDropped[row]);
        Integer known = knownScopes.get(key);
        if (known == null) {
          scope = batch.addScope(resource);
          batch.scopeName(scope, key.name);
          batch.scopeVersion(scope, key.version);
          batch.scopeSchemaUrl(scope, key.schemaUrl);
          batch.scopeDroppedAttributes(scope, key.dropped);
          idsOfScopes = with(idsOfScopes, scope, key.id);
          knownScopes.put(key, scope);
        } else {
          scope = known;
        }
      }
      batch.addSpan(scope);
    }
    checkCount("resources", batch.resources());
    checkCount("scopes", batch.scopes());
    resources = new OwnerIndex(idsOfResources, batch.resources());
    scopes = new OwnerIndex(idsOfScopes, batch.scopes());
  }

  /// What tells resources apart. Comparable so that a hash map stays fast when a sender makes
  /// hashes collide.
  private record ResourceKey(long id, int schemaUrl, int dropped)
      implements Comparable<ResourceKey> {
    private static final Comparator<ResourceKey> ORDER =
        Comparator.comparingLong(ResourceKey::id)
            .thenComparingInt(ResourceKey::schemaUrl)
            .thenComparingInt(ResourceKey::dropped);

    @Override
    public int compareTo(ResourceKey other) {
      return ORDER.compare(this, other);
    }
  }

  /// What tells scopes apart.
  private record ScopeKey(int resource, long id, int name, int version, int schemaUrl, int dropped)
      implements Comparable<ScopeKey> {
    private static final Comparator<ScopeKey> ORDER =
        Comparator.comparingInt(ScopeKey::resource)
            .thenComparingLong(ScopeKey::id)
            .thenComparingInt(ScopeKey::name)
            .thenComparingInt(ScopeKey::version)
            .thenComparingInt(ScopeKey::schemaUrl)
            .thenComparingInt(ScopeKey::dropped);

    @Override
    public int compareTo(ScopeKey other) {
      return ORDER.compare(this, other);
    }
  }

  /// Ids where a null row keeps the id of the row before.
  private static long[] carriedIds(@Nullable Column column, int rows) {
    long[] ids = IdColumns.ids(column, rows);
    for (int row = 1; row < rows; row++) {
      if (ids[row] == OwnerIndex.NO_ID) {
        ids[row] = ids[row - 1];
      }
    }
    return ids;
  }

  /// The rows whose parent is a span of the batch, in ascending order of the span.
  private int[] bySpan(long[] parents) {
    int[] next = new int[batch.size() + 1];
    int known = 0;
    for (long parent : parents) {
      int span = spans.first(parent);
      if (span == OwnerIndex.NONE) {
        ignored++;
      } else {
        next[span + 1]++;
        known++;
      }
    }
    for (int span = 0; span < batch.size(); span++) {
      next[span + 1] += next[span];
    }
    int[] order = new int[known];
    for (int row = 0; row < parents.length; row++) {
      int span = spans.first(parents[row]);
      if (span != OwnerIndex.NONE) {
        order[next[span]++] = row;
      }
    }
    return order;
  }

  int[] texts(@Nullable Column column, int rows) {
    int[] ids = new int[rows];
    if (column != null) {
      column.texts(0, rows, ids, this);
    }
    return ids;
  }

  static void numbers(@Nullable Column column, long[] out) {
    if (column != null) {
      column.longs(0, out.length, out);
    }
  }

  private void text(@Nullable Column column, int rows, IntSetter setter) {
    if (column == null) {
      return;
    }
    column.texts(0, rows, ints, this);
    for (int row = 0; row < rows; row++) {
      setter.set(row, ints[row]);
    }
  }

  private void number(@Nullable Column column, int rows, IntSetter setter) {
    if (column == null) {
      return;
    }
    column.longs(0, rows, longs);
    for (int row = 0; row < rows; row++) {
      setter.set(row, (int) longs[row]);
    }
  }

  private static void checkCount(String what, int count) {
    if (count > MAX_OWNERS) {
      throw OtapException.invalid(
          "too many " + what + " in OTAP data: count=" + count + ", limit=" + MAX_OWNERS);
    }
  }

  private static void checkNoNulls(Column column) {
    for (int row = 0; row < column.rows(); row++) {
      if (column.isNull(row)) {
        throw OtapException.invalid(
            "span without its id in OTAP data: column="
                + column.name()
                + ", row="
                + row
                + "; send trace and span ids with every span");
      }
    }
  }

  /// Enumerations are open; what no byte holds was never assigned and counts as unset.
  private static byte knownEnum(int value) {
    return value >= 0 && value <= Byte.MAX_VALUE ? (byte) value : 0;
  }

  private interface IntSetter {
    void set(int row, int value);
  }

  private static long[] with(long[] ids, int index, long id) {
    long[] room = index < ids.length ? ids : Arrays.copyOf(ids, 2 * index);
    room[index] = id;
    return room;
  }
}
