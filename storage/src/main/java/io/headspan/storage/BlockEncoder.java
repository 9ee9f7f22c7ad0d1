package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.util.Arrays;

/// Turns batches into blocks of ClickHouse's Native format, column by column, without an object for
/// each span. Keeps its buffers from block to block; for one thread at a time.
///
/// A block is a varint count of columns, one of rows, and for each column its name, its type and
/// its data. Nested types put the prefixes of everything within them first, then the ends of the
/// rows' arrays as UInt64, then the elements; a Map is an array of tuples, a tuple its elements in
/// turn.
final class BlockEncoder {
  private static final String LOW_TEXT = "LowCardinality(String)";
  private static final String TIME = "DateTime64(9, 'UTC')";
  private static final long DAY_NS = 86_400_000_000_000L;
  private static final int DATE_MAX = 65535;
  private static final int WINDOW_SECONDS = 300;
  private static final long WINDOW_NS = WINDOW_SECONDS * 1_000_000_000L;

  /// A DateTime is 32 bits of seconds.
  private static final long WINDOWS_MAX = 0xffff_ffffL / WINDOW_SECONDS;

  /// Where an attribute row is stored.
  private static final byte PROMOTED = 0;

  private static final byte STRINGS = 1;
  private static final byte INTS = 2;
  private static final byte DOUBLES = 3;
  private static final byte BOOLS = 4;
  private static final byte OTHERS = 5;
  private static final int PLACES = 6;

  /// The window of spans in the kept tier that were never in the recent one: no boundary is before.
  private static final int ALWAYS_READ = 0;

  private final NativeSink sink = new NativeSink();
  private final LowCardinality lowCardinality = new LowCardinality();
  private int[] ids = new int[0];
  private byte[] places = new byte[0];
  private final int[] placeCounts = new int[PLACES];

  /// By id of the batch's table: 0 not looked at yet, 1 not promoted, else index + 2.
  private byte[] promotedKeys = new byte[0];

  private final long[][] promoted = new long[Promoted.COUNT][0];
  private int[] promotedBits = new int[0];

  /// The block last encoded; valid until the next one is.
  NativeSink sink() {
    return sink;
  }

  /// Encodes rows of a tier's table.
  void spans(SpanBatch batch, Origins origins, Tier tier) {
    prepare(batch);
    int rows = batch.size();
    Utf8Table table = batch.table();
    sink.clear();
    int countAt = sink.size();
    // One byte holds the count of columns; it is known at the end.
    sink.putByte(0);
    sink.putVarint(rows);
    columns = 0;

    column("time", TIME);
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.startNs(i));
    }
    column("trace_id", "FixedString(16)");
    for (int i = 0; i < rows; i++) {
      sink.putBigLong(batch.traceIdHigh(i));
      sink.putBigLong(batch.traceIdLow(i));
    }
    column("span_id", "UInt64");
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.spanId(i));
    }
    column("parent_span_id", "UInt64");
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.parentSpanId(i));
    }
    column("duration", "Int64");
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.durationNs(i));
    }
    for (int i = 0; i < rows; i++) {
      ids[i] = batch.name(i);
    }
    lowTexts("operation", table, rows);
    column("kind", "UInt8");
    for (int i = 0; i < rows; i++) {
      sink.putByte(batch.kind(i));
    }
    column("status", "UInt8");
    for (int i = 0; i < rows; i++) {
      sink.putByte(batch.statusCode(i));
    }
    column("status_message", "String");
    for (int i = 0; i < rows; i++) {
      sink.putString(table, batch.statusMessage(i));
    }
    for (int i = 0; i < rows; i++) {
      ids[i] = batch.traceState(i);
    }
    lowTexts("trace_state", table, rows);
    column("flags", "UInt32");
    for (int i = 0; i < rows; i++) {
      sink.putInt(batch.flags(i));
    }

    originColumns(batch, origins);
    promotedColumns(batch);
    attributeColumns(batch);
    eventColumns(batch);
    linkColumns(batch);

    column("dropped_attributes", "UInt32");
    for (int i = 0; i < rows; i++) {
      sink.putInt(batch.droppedAttributes(i));
    }
    column("dropped_events", "UInt32");
    for (int i = 0; i < rows; i++) {
      sink.putInt(batch.droppedEvents(i));
    }
    column("dropped_links", "UInt32");
    for (int i = 0; i < rows; i++) {
      sink.putInt(batch.droppedLinks(i));
    }
    column("window", "DateTime");
    int window =
        switch (tier) {
          case RECENT -> windowSeconds(batch);
          case KEPT -> ALWAYS_READ;
        };
    for (int i = 0; i < rows; i++) {
      sink.putInt(window);
    }
    sink.setByte(countAt, columns);
  }

  /// The five minutes in which the last span of a batch ended, in seconds since 1970: the partition
  /// of all its rows, so that an insert makes one part, and a replay comes to the same. Never
  /// [#ALWAYS_READ].
  static int windowSeconds(SpanBatch batch) {
    long last = 0;
    for (int i = 0; i < batch.size(); i++) {
      last = Math.max(last, batch.startNs(i) + Math.max(0, batch.durationNs(i)));
    }
    long window = last / WINDOW_NS;
    return (int) (Math.clamp(window, 1, WINDOWS_MAX) * WINDOW_SECONDS);
  }

  private int columns;

  private void column(String name, String type) {
    sink.beginColumn(name, type);
    columns++;
  }

  private void originColumns(SpanBatch batch, Origins origins) {
    int rows = batch.size();
    column("resource_fp", "LowCardinality(UInt64)");
    for (int i = 0; i < rows; i++) {
      ids[i] = batch.scopeResource(batch.scope(i));
    }
    LowCardinality.prefix(sink);
    lowCardinality.numbers(sink, origins.resourceFingerprints(), batch.resources(), ids, rows);
    column("scope_fp", "LowCardinality(UInt64)");
    for (int i = 0; i < rows; i++) {
      ids[i] = batch.scope(i);
    }
    LowCardinality.prefix(sink);
    lowCardinality.numbers(sink, origins.scopeFingerprints(), batch.scopes(), ids, rows);
    for (int key = 0; key < Origins.HOT_COLUMNS.length; key++) {
      for (int i = 0; i < rows; i++) {
        ids[i] = origins.hot(key, batch.scopeResource(batch.scope(i)));
      }
      lowTexts(Origins.HOT_COLUMNS[key], batch.table(), rows);
    }
  }

  private void promotedColumns(SpanBatch batch) {
    int rows = batch.size();
    column("promoted", "UInt32");
    for (int i = 0; i < rows; i++) {
      sink.putInt(promotedBits[i]);
    }
    for (Promoted each : Promoted.values()) {
      long[] values = promoted[each.index()];
      switch (each) {
        case QUEUE_NS, CPU_NS, STOLEN_NS -> {
          column(each.column(), "Int64");
          sink.putLongs(values, rows);
        }
        case HTTP_STATUS -> {
          column(each.column(), "UInt16");
          for (int i = 0; i < rows; i++) {
            sink.putShort((int) values[i]);
          }
        }
        case FAAS_COLDSTART -> {
          column(each.column(), "Bool");
          for (int i = 0; i < rows; i++) {
            sink.putByte((int) values[i]);
          }
        }
        case URL_PATH -> {
          column(each.column(), "String");
          for (int i = 0; i < rows; i++) {
            sink.putString(batch.table(), (int) values[i]);
          }
        }
        case HTTP_METHOD, HTTP_ROUTE, RPC_METHOD, DB_SYSTEM -> {
          for (int i = 0; i < rows; i++) {
            ids[i] = (int) values[i];
          }
          lowTexts(each.column(), batch.table(), rows);
        }
      }
    }
  }

  private void attributeColumns(SpanBatch batch) {
    Attributes attributes = batch.spanAttributes();
    Utf8Table table = batch.table();
    column("string_keys", "Array(LowCardinality(String))");
    LowCardinality.prefix(sink);
    ends(attributes, STRINGS);
    keys(attributes, table, STRINGS);
    column("string_values", "Array(String)");
    ends(attributes, STRINGS);
    for (int row = 0; row < attributes.size(); row++) {
      if (places[row] == STRINGS) {
        sink.putString(table, (int) attributes.value(row));
      }
    }
    column("ints", "Map(LowCardinality(String), Int64)");
    LowCardinality.prefix(sink);
    ends(attributes, INTS);
    keys(attributes, table, INTS);
    longs(attributes, INTS);
    column("doubles", "Map(LowCardinality(String), Float64)");
    LowCardinality.prefix(sink);
    ends(attributes, DOUBLES);
    keys(attributes, table, DOUBLES);
    longs(attributes, DOUBLES);
    column("bool_keys", "Array(LowCardinality(String))");
    LowCardinality.prefix(sink);
    ends(attributes, BOOLS);
    keys(attributes, table, BOOLS);
    column("bool_values", "Array(Bool)");
    ends(attributes, BOOLS);
    for (int row = 0; row < attributes.size(); row++) {
      if (places[row] == BOOLS) {
        sink.putByte(attributes.value(row) == 0 ? 0 : 1);
      }
    }
    column("other", "Array(Tuple(key LowCardinality(String), type UInt8, value String))");
    LowCardinality.prefix(sink);
    ends(attributes, OTHERS);
    keys(attributes, table, OTHERS);
    for (int row = 0; row < attributes.size(); row++) {
      if (places[row] == OTHERS) {
        sink.putByte(attributes.type(row));
      }
    }
    for (int row = 0; row < attributes.size(); row++) {
      if (places[row] == OTHERS) {
        sink.putString(table, (int) attributes.value(row));
      }
    }
    elementColumn(attributes, table);
  }

  /// The scalars within slices, a row each: CBOR keeps a slice whole, but no query can look into
  /// it.
  private void elementColumn(Attributes attributes, Utf8Table table) {
    column("elements", "Array(Tuple(key LowCardinality(String), type UInt8, value String))");
    LowCardinality.prefix(sink);
    SliceElements elements = new SliceElements();
    for (int owner = 0; owner < attributes.owners(); owner++) {
      if (placeCounts[OTHERS] > 0) {
        for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
          if (attributes.type(row) == AttributeType.SLICE) {
            elements.addAll(attributes.key(row), table, (int) attributes.value(row));
          }
        }
      }
      sink.putLong(elements.size());
    }
    reserveIds(elements.size());
    for (int i = 0; i < elements.size(); i++) {
      ids[i] = elements.key(i);
    }
    lowCardinality.texts(sink, table, ids, elements.size());
    for (int i = 0; i < elements.size(); i++) {
      sink.putByte(elements.type(i));
    }
    for (int i = 0; i < elements.size(); i++) {
      byte[] value = elements.value(i);
      sink.putString(value, 0, value.length);
    }
  }

  private void eventColumns(SpanBatch batch) {
    int rows = batch.size();
    int events = batch.events();
    column(
        "events",
        "Array(Tuple(time " + TIME + ", name " + LOW_TEXT + ", dropped_attributes UInt32))");
    LowCardinality.prefix(sink);
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.eventEnd(i));
    }
    for (int i = 0; i < events; i++) {
      sink.putLong(batch.eventTimeNs(i));
    }
    reserveIds(events);
    for (int i = 0; i < events; i++) {
      ids[i] = batch.eventName(i);
    }
    lowCardinality.texts(sink, batch.table(), ids, events);
    for (int i = 0; i < events; i++) {
      sink.putInt(batch.eventDroppedAttributes(i));
    }
    column(
        "event_attributes",
        "Array(Tuple(event UInt32, key " + LOW_TEXT + ", type UInt8, value String))");
    Attributes attributes = batch.eventAttributes();
    LowCardinality.prefix(sink);
    for (int i = 0; i < rows; i++) {
      int last = batch.eventEnd(i);
      sink.putLong(last == 0 ? 0 : attributes.end(last - 1));
    }
    for (int i = 0; i < events; i++) {
      int number = i - batch.eventBegin(batch.eventSpan(i));
      for (int row = attributes.begin(i); row < attributes.end(i); row++) {
        sink.putInt(number);
      }
    }
    textAttributes(batch.table(), attributes, 0, attributes.size());
  }

  private void linkColumns(SpanBatch batch) {
    int rows = batch.size();
    int links = batch.links();
    column(
        "links",
        "Array(Tuple(trace_id FixedString(16), span_id UInt64, trace_state String, flags UInt32,"
            + " dropped_attributes UInt32))");
    for (int i = 0; i < rows; i++) {
      sink.putLong(batch.linkEnd(i));
    }
    for (int i = 0; i < links; i++) {
      sink.putBigLong(batch.linkTraceIdHigh(i));
      sink.putBigLong(batch.linkTraceIdLow(i));
    }
    for (int i = 0; i < links; i++) {
      sink.putLong(batch.linkSpanId(i));
    }
    for (int i = 0; i < links; i++) {
      sink.putString(batch.table(), batch.linkTraceState(i));
    }
    for (int i = 0; i < links; i++) {
      sink.putInt(batch.linkFlags(i));
    }
    for (int i = 0; i < links; i++) {
      sink.putInt(batch.linkDroppedAttributes(i));
    }
    column(
        "link_attributes",
        "Array(Tuple(link UInt32, key " + LOW_TEXT + ", type UInt8, value String))");
    Attributes attributes = batch.linkAttributes();
    LowCardinality.prefix(sink);
    for (int i = 0; i < rows; i++) {
      int last = batch.linkEnd(i);
      sink.putLong(last == 0 ? 0 : attributes.end(last - 1));
    }
    for (int i = 0; i < links; i++) {
      int number = i - batch.linkBegin(batch.linkSpan(i));
      for (int row = attributes.begin(i); row < attributes.end(i); row++) {
        sink.putInt(number);
      }
    }
    textAttributes(batch.table(), attributes, 0, attributes.size());
  }

  /// Encodes rows of `resources`: resource `resources[i]` on day `days[i]`.
  void resources(SpanBatch batch, Origins origins, int[] resources, int[] days, int count) {
    Utf8Table table = batch.table();
    begin(batch, 13, count);
    originRows(origins.resourceFingerprints(), resources, days, count);
    for (int key = 0; key < Origins.HOT_COLUMNS.length; key++) {
      for (int i = 0; i < count; i++) {
        ids[i] = origins.hot(key, resources[i]);
      }
      lowTexts(Origins.HOT_COLUMNS[key], table, count);
    }
    column("instance", "String");
    for (int i = 0; i < count; i++) {
      sink.putString(table, origins.instance(resources[i]));
    }
    attributeRows(table, batch.resourceAttributes(), resources, count);
    for (int i = 0; i < count; i++) {
      ids[i] = batch.resourceSchemaUrl(resources[i]);
    }
    lowTexts("schema_url", table, count);
    column("dropped_attributes", "UInt32");
    for (int i = 0; i < count; i++) {
      sink.putInt(batch.resourceDroppedAttributes(resources[i]));
    }
  }

  /// Encodes rows of `scopes`: scope `scopes[i]` on day `days[i]`.
  void scopes(SpanBatch batch, Origins origins, int[] scopes, int[] days, int count) {
    Utf8Table table = batch.table();
    begin(batch, 9, count);
    originRows(origins.scopeFingerprints(), scopes, days, count);
    for (int i = 0; i < count; i++) {
      ids[i] = batch.scopeName(scopes[i]);
    }
    lowTexts("name", table, count);
    for (int i = 0; i < count; i++) {
      ids[i] = batch.scopeVersion(scopes[i]);
    }
    lowTexts("version", table, count);
    attributeRows(table, batch.scopeAttributes(), scopes, count);
    for (int i = 0; i < count; i++) {
      ids[i] = batch.scopeSchemaUrl(scopes[i]);
    }
    lowTexts("schema_url", table, count);
    column("dropped_attributes", "UInt32");
    for (int i = 0; i < count; i++) {
      sink.putInt(batch.scopeDroppedAttributes(scopes[i]));
    }
  }

  /// The day of a time as ClickHouse's Date, days since 1970, what it cannot hold moved to its
  /// ends.
  static int day(long timeNs) {
    return Math.clamp(Math.floorDiv(timeNs, DAY_NS), 0, DATE_MAX);
  }

  private void begin(SpanBatch batch, int columnCount, int rows) {
    sink.clear();
    sink.beginBlock(columnCount, rows);
    reserveIds(
        Math.max(
            rows, Math.max(batch.resourceAttributes().size(), batch.scopeAttributes().size())));
  }

  private void originRows(long[] fingerprints, int[] owners, int[] days, int count) {
    column("day", "Date");
    for (int i = 0; i < count; i++) {
      sink.putShort(days[i]);
    }
    column("fp", "UInt64");
    for (int i = 0; i < count; i++) {
      sink.putLong(fingerprints[owners[i]]);
    }
  }

  /// Columns `keys`, `types` and `values` of the given owners.
  private void attributeRows(Utf8Table table, Attributes attributes, int[] owners, int count) {
    column("keys", "Array(LowCardinality(String))");
    LowCardinality.prefix(sink);
    int total = ownerEnds(attributes, owners, count);
    reserveIds(total);
    int next = 0;
    for (int i = 0; i < count; i++) {
      for (int row = attributes.begin(owners[i]); row < attributes.end(owners[i]); row++) {
        ids[next++] = attributes.key(row);
      }
    }
    lowCardinality.texts(sink, table, ids, total);
    column("types", "Array(UInt8)");
    ownerEnds(attributes, owners, count);
    for (int i = 0; i < count; i++) {
      for (int row = attributes.begin(owners[i]); row < attributes.end(owners[i]); row++) {
        sink.putByte(attributes.type(row));
      }
    }
    column("values", "Array(String)");
    ownerEnds(attributes, owners, count);
    for (int i = 0; i < count; i++) {
      for (int row = attributes.begin(owners[i]); row < attributes.end(owners[i]); row++) {
        TextValue.write(sink, table, attributes, row);
      }
    }
  }

  private int ownerEnds(Attributes attributes, int[] owners, int count) {
    int end = 0;
    for (int i = 0; i < count; i++) {
      end += attributes.end(owners[i]) - attributes.begin(owners[i]);
      sink.putLong(end);
    }
    return end;
  }

  /// Sorts the span attributes into their places and takes the promoted ones out.
  private void prepare(SpanBatch batch) {
    int rows = batch.size();
    Attributes attributes = batch.spanAttributes();
    Utf8Table table = batch.table();
    reserveIds(Math.max(rows, attributes.size()));
    if (places.length < attributes.size()) {
      places = new byte[attributes.size()];
    }
    if (promotedKeys.length < table.size()) {
      promotedKeys = new byte[table.size()];
    } else {
      Arrays.fill(promotedKeys, (byte) 0);
    }
    if (promotedBits.length < rows) {
      promotedBits = new int[rows];
      Arrays.setAll(promoted, each -> new long[rows]);
    } else {
      Arrays.fill(promotedBits, 0, rows, 0);
      for (long[] values : promoted) {
        Arrays.fill(values, 0, rows, 0);
      }
    }
    Arrays.fill(placeCounts, 0);
    for (int span = 0; span < rows; span++) {
      for (int row = attributes.begin(span); row < attributes.end(span); row++) {
        byte place = place(span, attributes, row, table);
        places[row] = place;
        placeCounts[place]++;
      }
    }
  }

  private byte place(int span, Attributes attributes, int row, Utf8Table table) {
    byte type = attributes.type(row);
    int key = attributes.key(row);
    byte known = promotedKeys[key];
    if (known == 0) {
      int found = Promoted.find(table.backing(), table.offset(key), table.length(key));
      known = (byte) (found + 2);
      promotedKeys[key] = known;
    }
    if (known > 1) {
      Promoted column = PROMOTED_COLUMNS[known - 2];
      long value = attributes.value(row);
      // A key that comes twice has one column only; the second goes with the rest.
      if (column.fits(type, value) && (promotedBits[span] & column.bit()) == 0) {
        promotedBits[span] |= column.bit();
        promoted[column.index()][span] = value;
        return PROMOTED;
      }
    }
    return switch (type) {
      case AttributeType.STRING -> STRINGS;
      case AttributeType.INT -> INTS;
      case AttributeType.DOUBLE -> DOUBLES;
      case AttributeType.BOOL -> BOOLS;
      default -> OTHERS;
    };
  }

  private static final Promoted[] PROMOTED_COLUMNS = Promoted.values();

  /// Where the array of each span ends among the attributes at `place`.
  private void ends(Attributes attributes, byte place) {
    int owners = attributes.owners();
    sink.ensure(8L * owners);
    if (placeCounts[place] == 0) {
      for (int owner = 0; owner < owners; owner++) {
        sink.putLong(0);
      }
      return;
    }
    long end = 0;
    for (int owner = 0; owner < owners; owner++) {
      for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
        if (places[row] == place) {
          end++;
        }
      }
      sink.putLong(end);
    }
  }

  private void keys(Attributes attributes, Utf8Table table, byte place) {
    int count = 0;
    if (placeCounts[place] > 0) {
      for (int row = 0; row < attributes.size(); row++) {
        if (places[row] == place) {
          ids[count++] = attributes.key(row);
        }
      }
    }
    lowCardinality.texts(sink, table, ids, count);
  }

  private void longs(Attributes attributes, byte place) {
    for (int row = 0; row < attributes.size(); row++) {
      if (places[row] == place) {
        sink.putLong(attributes.value(row));
      }
    }
  }

  /// The elements key, type and value of attributes that are kept as text.
  private void textAttributes(Utf8Table table, Attributes attributes, int from, int to) {
    reserveIds(to - from);
    for (int row = from; row < to; row++) {
      ids[row - from] = attributes.key(row);
    }
    lowCardinality.texts(sink, table, ids, to - from);
    for (int row = from; row < to; row++) {
      sink.putByte(attributes.type(row));
    }
    for (int row = from; row < to; row++) {
      TextValue.write(sink, table, attributes, row);
    }
  }

  private void lowTexts(String name, Utf8Table table, int count) {
    column(name, LOW_TEXT);
    LowCardinality.prefix(sink);
    lowCardinality.texts(sink, table, ids, count);
  }

  private void reserveIds(int count) {
    if (ids.length < count) {
      ids = new int[Math.max(count, 2 * ids.length)];
    }
  }
}
