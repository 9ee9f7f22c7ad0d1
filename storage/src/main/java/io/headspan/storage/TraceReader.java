package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.TraceContext;
import io.headspan.wire.Utf8Table;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Makes a [SpanBatch] of stored spans: what [BlockEncoder] took apart comes together again.
///
/// A span may be stored twice: in both tiers, by a sender that repeats itself under another token,
/// or that sent it first as open. Of those with one id the one that ends last is kept. What both an
/// agent and an SDK tell of is one span, the SDK's with the agent's account of it: see [SdkSpans].
final class TraceReader {
  private static final VarHandle BIG_LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private static final String COLUMNS =
      """
      time, trace_id, span_id, parent_span_id, duration, operation, kind, status,
          status_message, trace_state, flags, resource_fp, scope_fp,
          promoted, queue_ns, cpu_ns, stolen_ns, http_method, http_route, url_path, http_status,
          rpc_method, db_system, faas_coldstart,
          string_keys, string_values, ints, doubles, bool_keys, bool_values, other,
          events, event_attributes, links, link_attributes,
          dropped_attributes, dropped_events, dropped_links\
      """;

  // Both tiers whole: a trace is complete by its id wherever the boundary is. The recent one first:
  // what is moved meanwhile is then read twice, and not missed. In one statement: to ask one tier
  // after the other, or first where a trace is, takes longer than reading a tier in vain.
  private static final String ONE =
      bothTiers("trace_id = unhex({id:String})", "time, span_id LIMIT {limit:UInt64}");

  private static final String SEVERAL =
      bothTiers(
          "trace_id IN (SELECT toFixedString(substring(unhex({ids:String}), number * 16 + 1, 16),"
              + " 16) FROM numbers({count:UInt64}))",
          "trace_id, time, span_id LIMIT {limit:UInt64} BY trace_id");

  /// Traces in one statement.
  private static final int TRACES_MAX = 500;

  private final BlockSource client;
  private final LongSupplier boundarySecond;
  private final StoredOrigins origins;

  /// @param boundarySecond the last window that is read from the kept tier
  TraceReader(BlockSource client, LongSupplier boundarySecond) {
    this.client = client;
    this.boundarySecond = boundarySecond;
    origins = new StoredOrigins(client);
  }

  /// Nothing stands around the tiers' SELECTs, for most of the time goes into the analysis of so
  /// many columns.
  private static String bothTiers(String condition, String order) {
    return Stream.of(Tier.RECENT, Tier.KEPT)
        .map(tier ->
            """
            SELECT
                %s,
                CAST(runtime != '', 'UInt8') AS captured, toString(service) AS service_name,
                toString(tenant) AS tenant_name,
                string_values[indexOf(string_keys, 'headspan.header_parent')] AS header_parent,
                toUInt32(window) AS window_second, CAST(%d, 'UInt8') AS recent
            FROM %s
            WHERE %s
            ORDER BY %s
            """
                .formatted(COLUMNS, tier == Tier.RECENT ? 1 : 0, tier.table(), condition, order))
        .collect(Collectors.joining("UNION ALL\n"));
  }

  /// The statements of one read, under its limits.
  private final class Statements {
    private final TraceRead read;
    private final long endNs;
    private int count;

    Statements(TraceRead read) {
      this.read = read;
      endNs = System.nanoTime() + read.timeout().toNanos();
    }

    List<NativeBlock> select(SqlQuery statement) {
      read.checkpoint().run();
      // None at all would mean no limit.
      Duration left = Duration.ofNanos(Math.max(1_000_000, endNs - System.nanoTime()));
      SqlQuery query = statement.timeout(left).maxMemoryBytes(read.maxMemoryBytes());
      List<String> ids = read.statementIds();
      if (!ids.isEmpty()) {
        query = query.id(ids.get(count % ids.size()));
      }
      count++;
      if (!read.tenants().isEmpty()) {
        query = query.setting("additional_table_filters", TraceReader.ofTenants(read.tenants()));
      }
      List<NativeBlock> blocks = new ArrayList<>();
      client.select(query, blocks::add);
      return blocks;
    }
  }

  TraceSpans read(long traceIdHigh, long traceIdLow, TraceRead read) {
    Statements statements = new Statements(read);
    String id = TraceContext.hexId(traceIdHigh) + TraceContext.hexId(traceIdLow);
    List<NativeBlock> blocks =
        statements.select(
            SqlQuery.of(ONE)
                .bind("id", id)
                .bind("limit", read.maxSpans() + 1)
                .setting("max_threads", "1")
                .setting("use_skip_indexes_on_data_read", "0"));
    loadOrigins(blocks);
    return assembled(
        blocks.stream().map(block -> new Rows(block, 0, block.rows())).toList(), read.maxSpans());
  }

  /// Others' rows are left out before the limit counts them.
  private static String ofTenants(List<String> tenants) {
    String condition =
        tenants.stream()
            .map(tenant -> HexFormat.of().formatHex(tenant.getBytes(StandardCharsets.UTF_8)))
            .map(hex -> "unhex(\\'" + hex + "\\')")
            .collect(Collectors.joining(",", "'tenant IN (", ")'"));
    return "{'recent_spans':" + condition + ",'kept_spans':" + condition + "}";
  }

  Map<String, TraceSpans> read(List<String> traceIds, TraceRead read) {
    Statements statements = new Statements(read);
    Map<String, TraceSpans> traces = new HashMap<>();
    for (int from = 0; from < traceIds.size(); from += TRACES_MAX) {
      List<String> some = traceIds.subList(from, Math.min(traceIds.size(), from + TRACES_MAX));
      List<NativeBlock> blocks =
          statements.select(
              SqlQuery.of(SEVERAL)
                  .bind("ids", String.join("", some))
                  .bind("count", some.size())
                  .bind("limit", read.maxSpans() + 1));
      loadOrigins(blocks);
      byTrace(blocks)
          .forEach((id, rows) -> {
            TraceSpans trace = assembled(rows, read.maxSpans());
            if (trace.spans().size() > 0) {
              traces.put(id, trace);
            }
          });
    }
    return traces;
  }

  /// The rows of each trace: those of a tier follow each other, over the ends of blocks too.
  private static Map<String, List<Rows>> byTrace(List<NativeBlock> blocks) {
    Map<String, List<Rows>> traces = new HashMap<>();
    for (NativeBlock block : blocks) {
      NativeColumn.Bytes ids = (NativeColumn.Bytes) block.column("trace_id");
      int first = 0;
      for (int row = 1; row <= block.rows(); row++) {
        if (row == block.rows()
            || Assembly.high(ids, row) != Assembly.high(ids, first)
            || Assembly.low(ids, row) != Assembly.low(ids, first)) {
          String id =
              TraceContext.hexId(Assembly.high(ids, first))
                  + TraceContext.hexId(Assembly.low(ids, first));
          traces.computeIfAbsent(id, _ -> new ArrayList<>()).add(new Rows(block, first, row));
          first = row;
        }
      }
    }
    return traces;
  }

  /// Rows of one trace.
  private record Rows(NativeBlock block, int first, int end) {
    int size() {
      return end - first;
    }

    boolean areRecent() {
      return size() > 0 && NativeBlock.integer(block.column("recent"), first) != 0;
    }
  }

  /// A row of a block.
  private record Place(NativeBlock block, int row) {
    long integer(String column) {
      return NativeBlock.integer(block.column(column), row);
    }

    long spanId() {
      return integer("span_id");
    }

    long startNs() {
      return integer("time");
    }

    long endNs() {
      return startNs() + integer("duration");
    }
  }

  private TraceSpans assembled(List<Rows> rows, int maxSpans) {
    Assembly assembly = new Assembly(origins);
    boolean isCut = assembly.addSpans(places(rows), maxSpans);
    return new TraceSpans(assembly.builder.build(), isCut || isCut(rows, maxSpans));
  }

  /// Whether a tier had more rows than were read.
  private static boolean isCut(List<Rows> rows, int maxSpans) {
    return rows.stream()
        .collect(Collectors.partitioningBy(Rows::areRecent, Collectors.summingInt(Rows::size)))
        .values()
        .stream()
        .anyMatch(read -> read > maxSpans);
  }

  /// All rows by time, those of both tiers together. Copies are told by their span id later; spans
  /// without one are taken from the tier that counts.
  private List<Place> places(List<Rows> trace) {
    List<Place> places = new ArrayList<>();
    boolean lacksIds = false;
    for (Rows rows : trace) {
      for (int row = rows.first(); row < rows.end(); row++) {
        Place place = new Place(rows.block(), row);
        places.add(place);
        lacksIds |= place.spanId() == 0;
      }
    }
    if (lacksIds) {
      long boundary = boundarySecond.getAsLong();
      places.removeIf(place ->
          place.spanId() == 0
              && (place.integer("recent") != 0) != (place.integer("window_second") > boundary));
    }
    places.sort(
        Comparator.comparingLong(Place::startNs)
            .thenComparing(Place::spanId, Long::compareUnsigned));
    return places;
  }

  private void loadOrigins(List<NativeBlock> blocks) {
    Set<StoredOrigins.Key> keys = new HashSet<>();
    Set<Integer> days = new TreeSet<>();
    for (NativeBlock block : blocks) {
      NativeColumn resources = block.column("resource_fp");
      NativeColumn scopes = block.column("scope_fp");
      NativeColumn times = block.column("time");
      for (int row = 0; row < block.rows(); row++) {
        keys.add(new StoredOrigins.Key(false, NativeBlock.integer(resources, row)));
        keys.add(new StoredOrigins.Key(true, NativeBlock.integer(scopes, row)));
        days.add(BlockEncoder.day(NativeBlock.integer(times, row)));
      }
    }
    origins.load(keys, days);
  }

  /// The batch under construction.
  private static final class Assembly {
    private static final int KIND_SERVER = 2;

    private final SpanBatch.Builder builder = new SpanBatch.Builder();
    private final Utf8Table table = builder.table();
    private final StoredOrigins origins;
    private final Map<Long, Integer> resources = new HashMap<>();
    private final Map<Pair, Integer> scopes = new HashMap<>();

    /// A scope belongs to one resource in a batch, while the store keeps it once for all.
    private record Pair(long resource, long scope) {}

    Assembly(StoredOrigins origins) {
      this.origins = origins;
    }

    /// Adds each span once.
    ///
    /// @param places in the order of the spans
    /// @return whether there are more than `maxSpans`, and so not all were added
    boolean addSpans(List<Place> places, int maxSpans) {
      Map<Long, Place> latest = new HashMap<>();
      for (Place place : places) {
        latest.merge(
            place.spanId(),
            place,
            (first, second) -> second.endNs() > first.endNs() ? second : first);
      }
      SdkSpans.Joined<Place> joined =
          SdkSpans.join(latest.values().stream().map(Assembly::candidate).toList());
      int added = 0;
      for (Place place : places) {
        long id = place.spanId();
        // Without an id nothing tells two spans apart from one.
        if (id != 0 && (!place.equals(latest.get(id)) || joined.isReplaced(id))) {
          continue;
        }
        if (added == maxSpans) {
          return true;
        }
        addSpan(place.block(), place.row(), id == 0 ? null : joined.partner(place), joined);
        added++;
      }
      return false;
    }

    private static SdkSpans.Candidate<Place> candidate(Place place) {
      NativeBlock block = place.block();
      int row = place.row();
      String headerParent = NativeBlock.text(block.column("header_parent"), row);
      return new SdkSpans.Candidate<>(
          place,
          integer(block, "captured", row) != 0,
          (int) integer(block, "kind", row),
          place.spanId(),
          integer(block, "parent_span_id", row),
          headerParent.matches("[0-9a-f]{16}") ? HexFormat.fromHexDigitsToLong(headerParent) : 0,
          NativeBlock.text(block.column("tenant_name"), row),
          NativeBlock.text(block.column("service_name"), row),
          place.startNs(),
          place.endNs());
    }

    /// @param captured the agent's span of the same, if the span is an SDK's
    private void addSpan(
        NativeBlock block,
        int row,
        SdkSpans.@Nullable Candidate<Place> captured,
        SdkSpans.Joined<Place> joined) {
      int span =
          builder.addSpan(
              scope(integer(block, "resource_fp", row), integer(block, "scope_fp", row)));
      NativeColumn.Bytes traceIds = (NativeColumn.Bytes) block.column("trace_id");
      long startNs = integer(block, "time", row);
      long durationNs = integer(block, "duration", row);
      long parentId = integer(block, "parent_span_id", row);
      byte status = (byte) integer(block, "status", row);
      if (captured != null) {
        long endNs = Math.max(startNs + durationNs, captured.endNs());
        startNs = Math.min(startNs, captured.startNs());
        durationNs = endNs - startNs;
        NativeBlock other = captured.place().block();
        int otherRow = captured.place().row();
        if (status == 0) {
          status = (byte) integer(other, "status", otherRow);
        }
        // The SDK knows better where in the function a call was made.
        if (captured.kind() == KIND_SERVER) {
          parentId = captured.parentId();
        }
      }
      builder.startNs(span, startNs);
      builder.durationNs(span, durationNs);
      builder.traceIdHigh(span, high(traceIds, row));
      builder.traceIdLow(span, low(traceIds, row));
      builder.spanId(span, integer(block, "span_id", row));
      builder.parentSpanId(span, joined.id(parentId));
      builder.name(span, id(block.column("operation"), row));
      builder.kind(span, (byte) integer(block, "kind", row));
      builder.statusCode(span, status);
      builder.statusMessage(span, id(block.column("status_message"), row));
      builder.traceState(span, id(block.column("trace_state"), row));
      builder.flags(span, (int) integer(block, "flags", row));
      builder.droppedAttributes(span, (int) integer(block, "dropped_attributes", row));
      builder.droppedEvents(span, (int) integer(block, "dropped_events", row));
      builder.droppedLinks(span, (int) integer(block, "dropped_links", row));
      addPromoted(span, block, row, false);
      addSpanAttributes(span, block, row, false);
      if (captured != null) {
        addAccount(span, captured.place());
      }
      addEvents(span, block, row);
      addLinks(span, block, row);
    }

    private int scope(long resourceFingerprint, long scopeFingerprint) {
      return scopes.computeIfAbsent(
          new Pair(resourceFingerprint, scopeFingerprint),
          pair -> {
            int resource =
                resources.computeIfAbsent(
                    pair.resource(), fingerprint -> origins.addResource(builder, fingerprint));
            return origins.addScope(builder, resource, pair.scope());
          });
    }

    /// What only the agent can know of an invocation.
    private void addAccount(int span, Place captured) {
      addPromoted(span, captured.block(), captured.row(), true);
      addSpanAttributes(span, captured.block(), captured.row(), true);
      builder
          .spanAttributes()
          .add(
              span,
              table.intern("headspan.span_id"),
              AttributeType.STRING,
              table.intern(TraceContext.hexId(captured.spanId())));
    }

    private void addPromoted(int span, NativeBlock block, int row, boolean accountOnly) {
      long bits = integer(block, "promoted", row);
      for (Promoted each : Promoted.values()) {
        if ((bits & each.bit()) != 0 && (!accountOnly || isAccount(each.key()))) {
          NativeColumn column = block.column(each.column());
          long value =
              each.type() == AttributeType.STRING
                  ? id(column, row)
                  : NativeBlock.integer(column, row);
          builder.spanAttributes().add(span, table.intern(each.key()), each.type(), value);
        }
      }
    }

    private void addSpanAttributes(int span, NativeBlock block, int row, boolean accountOnly) {
      Attributes.Builder attributes = builder.spanAttributes();
      NativeColumn.Lists stringKeys = (NativeColumn.Lists) block.column("string_keys");
      NativeColumn.Lists stringValues = (NativeColumn.Lists) block.column("string_values");
      for (int i = stringKeys.start(row); i < stringKeys.end(row); i++) {
        if (isLeftOut(stringKeys.elements(), i, accountOnly)) {
          continue;
        }
        attributes.add(
            span,
            id(stringKeys.elements(), i),
            AttributeType.STRING,
            id(stringValues.elements(), i));
      }
      NativeColumn.Maps ints = (NativeColumn.Maps) block.column("ints");
      for (int i = ints.start(row); i < ints.end(row); i++) {
        if (isLeftOut(ints.keys(), i, accountOnly)) {
          continue;
        }
        attributes.add(
            span, id(ints.keys(), i), AttributeType.INT, NativeBlock.integer(ints.values(), i));
      }
      NativeColumn.Maps doubles = (NativeColumn.Maps) block.column("doubles");
      for (int i = doubles.start(row); i < doubles.end(row); i++) {
        if (isLeftOut(doubles.keys(), i, accountOnly)) {
          continue;
        }
        attributes.add(
            span,
            id(doubles.keys(), i),
            AttributeType.DOUBLE,
            Double.doubleToRawLongBits(NativeBlock.number(doubles.values(), i)));
      }
      NativeColumn.Lists boolKeys = (NativeColumn.Lists) block.column("bool_keys");
      NativeColumn.Lists boolValues = (NativeColumn.Lists) block.column("bool_values");
      for (int i = boolKeys.start(row); i < boolKeys.end(row); i++) {
        if (isLeftOut(boolKeys.elements(), i, accountOnly)) {
          continue;
        }
        attributes.add(
            span,
            id(boolKeys.elements(), i),
            AttributeType.BOOL,
            NativeBlock.integer(boolValues.elements(), i));
      }
      if (accountOnly) {
        return;
      }
      NativeColumn.Lists other = (NativeColumn.Lists) block.column("other");
      NativeColumn.Tuples others = (NativeColumn.Tuples) other.elements();
      for (int i = other.start(row); i < other.end(row); i++) {
        attributes.add(
            span,
            id(others.element(0), i),
            (byte) NativeBlock.integer(others.element(1), i),
            id(others.element(2), i));
      }
    }

    private static boolean isLeftOut(NativeColumn keys, int at, boolean accountOnly) {
      return accountOnly && !isAccount(NativeBlock.text(keys, at));
    }

    private static boolean isAccount(String key) {
      return key.startsWith("headspan.") || key.equals(Promoted.FAAS_COLDSTART.key());
    }

    private void addEvents(int span, NativeBlock block, int row) {
      NativeColumn.Lists events = (NativeColumn.Lists) block.column("events");
      NativeColumn.Tuples fields = (NativeColumn.Tuples) events.elements();
      int first = -1;
      for (int i = events.start(row); i < events.end(row); i++) {
        int event = builder.addEvent(span);
        first = first < 0 ? event : first;
        builder.eventTimeNs(event, NativeBlock.integer(fields.element(0), i));
        builder.eventName(event, id(fields.element(1), i));
        builder.eventDroppedAttributes(event, (int) NativeBlock.integer(fields.element(2), i));
      }
      addNumbered(builder.eventAttributes(), first, block.column("event_attributes"), row);
    }

    private void addLinks(int span, NativeBlock block, int row) {
      NativeColumn.Lists links = (NativeColumn.Lists) block.column("links");
      NativeColumn.Tuples fields = (NativeColumn.Tuples) links.elements();
      NativeColumn.Bytes traceIds = (NativeColumn.Bytes) fields.element(0);
      int first = -1;
      for (int i = links.start(row); i < links.end(row); i++) {
        int link = builder.addLink(span);
        first = first < 0 ? link : first;
        builder.linkTraceIdHigh(link, high(traceIds, i));
        builder.linkTraceIdLow(link, low(traceIds, i));
        builder.linkSpanId(link, NativeBlock.integer(fields.element(1), i));
        builder.linkTraceState(link, id(fields.element(2), i));
        builder.linkFlags(link, (int) NativeBlock.integer(fields.element(3), i));
        builder.linkDroppedAttributes(link, (int) NativeBlock.integer(fields.element(4), i));
      }
      addNumbered(builder.linkAttributes(), first, block.column("link_attributes"), row);
    }

    /// Attributes of a span's events or links, each with the number of its owner.
    private void addNumbered(Attributes.Builder target, int first, NativeColumn column, int row) {
      NativeColumn.Lists attributes = (NativeColumn.Lists) column;
      NativeColumn.Tuples fields = (NativeColumn.Tuples) attributes.elements();
      for (int i = attributes.start(row); i < attributes.end(row); i++) {
        int owner = first + (int) NativeBlock.integer(fields.element(0), i);
        byte type = (byte) NativeBlock.integer(fields.element(2), i);
        byte[] value = NativeBlock.bytes(fields.element(3), i);
        target.add(owner, id(fields.element(1), i), type, TextValue.read(table, type, value));
      }
    }

    private static long integer(NativeBlock block, String column, int row) {
      return NativeBlock.integer(block.column(column), row);
    }

    /// Interns the bytes of a text.
    private int id(NativeColumn column, int row) {
      return switch (column) {
        case NativeColumn.LowCardinalities low -> id(low.dictionary(), low.index(row));
        case NativeColumn.Bytes bytes ->
            table.intern(bytes.bytes(), bytes.start(row), bytes.end(row) - bytes.start(row));
        default -> {
          byte[] text = NativeBlock.text(column, row).getBytes(StandardCharsets.UTF_8);
          yield table.intern(text, 0, text.length);
        }
      };
    }

    private static long high(NativeColumn.Bytes ids, int row) {
      return (long) BIG_LONG.get(ids.bytes(), ids.start(row));
    }

    private static long low(NativeColumn.Bytes ids, int row) {
      return (long) BIG_LONG.get(ids.bytes(), ids.start(row) + 8);
    }
  }
}
