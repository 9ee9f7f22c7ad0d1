package io.headspan.wire.otap;

import com.github.luben.zstd.ZstdDecompressCtx;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Decodes the trace batches of one gRPC stream, in their order. Schemas and dictionaries live as
/// long as the stream; close it when the stream ends. Not thread-safe.
///
/// Follows the OTAP specification, and where that leaves room, what the Go implementation's
/// consumer does. Takes columns plain or with a dictionary, of any index width, in any order, with
/// bodies in zstd, lz4 or uncompressed. Memory is bounded whatever the input claims.
public final class OtapDecoder implements AutoCloseable {
  /// What a stream may use unless another limit is given, as in the Go receiver.
  public static final long DEFAULT_LIMIT_BYTES = 128L << 20;

  /// What a decoded row takes, with the arrays used on the way to it.
  private static final int SPAN_BYTES = 256;

  private static final int CHILD_BYTES = 128;
  private static final int ATTRIBUTE_BYTES = 80;

  private final MemoryBudget budget;
  private final Map<ArrowPayloadType, ArrowStream> streams = new EnumMap<>(ArrowPayloadType.class);
  private @Nullable ZstdDecompressCtx zstd;
  private long batches;
  private long ignoredRows;
  private boolean failed;
  private boolean closed;

  /// A decoder that may use [#DEFAULT_LIMIT_BYTES].
  public OtapDecoder() {
    this(DEFAULT_LIMIT_BYTES);
  }

  /// A decoder that may use `limitBytes` for its dictionaries and the batch being decoded.
  public OtapDecoder(long limitBytes) {
    budget = new MemoryBudget(limitBytes);
  }

  /// Decodes one batch. Spans come in the order of the sender's rows.
  ///
  /// After an exception of another kind than UNSUPPORTED the state of the stream is unknown, and
  /// every further call fails.
  ///
  /// @throws OtapException if it is not a valid continuation of the stream, holds another signal,
  ///   or needs more memory than allowed
  public SpanBatch decode(BatchArrowRecords records) {
    if (closed || failed) {
      throw OtapException.invalid(
          "OTAP stream has ended: batch="
              + records.getBatchId()
              + (failed ? ", reason=an earlier batch could not be decoded" : "")
              + "; start another one");
    }
    for (ArrowPayload payload : records.getArrowPayloadsList()) {
      checkType(payload);
    }
    try {
      return decodeChecked(records);
    } catch (OtapException e) {
      failed = true;
      throw e;
    } catch (WireException e) {
      failed = true;
      throw new OtapException(
          OtapException.Kind.INVALID, "bad value in OTAP data: " + e.getMessage(), e);
    } catch (RuntimeException e) {
      // Flatbuffers come without a verifier: corrupt ones show by an index out of their bounds.
      failed = true;
      throw new OtapException(
          OtapException.Kind.INVALID,
          "corrupt Arrow data: batch=" + records.getBatchId() + "; send whole Arrow IPC messages",
          e);
    }
  }

  /// Rows left out so far because they belong to no row of the batch or have a type that this
  /// decoder does not know: attributes, events and links that the sender failed to remove with
  /// their span. The Go consumer leaves them out too.
  public long ignoredRows() {
    return ignoredRows;
  }

  /// Bytes held for the stream's dictionaries.
  public long dictionaryBytes() {
    return budget.heldBytes();
  }

  @Override
  public void close() {
    closed = true;
    streams.values().forEach(ArrowStream::close);
    streams.clear();
    if (zstd != null) {
      zstd.close();
      zstd = null;
    }
  }

  private static void checkType(ArrowPayload payload) {
    switch (payload.getType()) {
      case RESOURCE_ATTRS,
          SCOPE_ATTRS,
          SPANS,
          SPAN_ATTRS,
          SPAN_EVENTS,
          SPAN_LINKS,
          SPAN_EVENT_ATTRS,
          SPAN_LINK_ATTRS -> {}
      case UNKNOWN, UNRECOGNIZED ->
          throw OtapException.invalid(
              "unknown payload type: type="
                  + payload.getTypeValue()
                  + "; send the payloads of traces");
      default ->
          throw new OtapException(
              OtapException.Kind.UNSUPPORTED,
              "not a payload of traces: type="
                  + payload.getType()
                  + "; send logs and metrics to another receiver");
    }
  }

  private SpanBatch decodeChecked(BatchArrowRecords records) {
    budget.startBatch();
    batches++;
    Map<ArrowPayloadType, List<ArrowTable>> tables = new EnumMap<>(ArrowPayloadType.class);
    for (ArrowPayload payload : records.getArrowPayloadsList()) {
      budget.use(payload.getRecord().size());
      ArrowTable table = stream(payload).read(payload.getRecord());
      budget.use((long) table.rows() * rowBytes(payload.getType()));
      tables.computeIfAbsent(payload.getType(), _ -> new ArrayList<>()).add(table);
    }
    ArrowTable spans = single(tables, ArrowPayloadType.SPANS);
    if (spans == null) {
      boolean empty =
          tables.values().stream().flatMap(List::stream).allMatch(table -> table.rows() == 0);
      if (empty) {
        return new SpanBatch.Builder().build();
      }
      throw OtapException.invalid(
          "batch without spans: batch="
              + records.getBatchId()
              + ", payloads="
              + tables.keySet()
              + "; send a SPANS payload in every batch");
    }
    BatchRows batch = new BatchRows(batches, spans.rows());
    batch.spans(spans);
    ArrowTable events = single(tables, ArrowPayloadType.SPAN_EVENTS);
    if (events != null) {
      batch.events(events);
    }
    ArrowTable links = single(tables, ArrowPayloadType.SPAN_LINKS);
    if (links != null) {
      batch.links(links);
    }
    tables.forEach((type, all) -> all.forEach(table -> batch.attributes(type, table)));
    ignoredRows += batch.ignored();
    return batch.build();
  }

  /// The Arrow stream that a payload continues. Another schema id ends the one before: its
  /// dictionaries are not carried over.
  private ArrowStream stream(ArrowPayload payload) {
    ArrowStream stream = streams.get(payload.getType());
    if (stream == null || !stream.schemaId().equals(payload.getSchemaId())) {
      if (stream != null) {
        stream.close();
      }
      stream = new ArrowStream(payload.getSchemaId(), budget, this::zstd);
      streams.put(payload.getType(), stream);
    }
    return stream;
  }

  private ZstdDecompressCtx zstd() {
    if (zstd == null) {
      zstd = new ZstdDecompressCtx();
    }
    return zstd;
  }

  private static @Nullable ArrowTable single(
      Map<ArrowPayloadType, List<ArrowTable>> tables, ArrowPayloadType type) {
    List<ArrowTable> all = tables.getOrDefault(type, List.of());
    if (all.size() > 1) {
      throw OtapException.invalid(
          "more than one payload of a type: type=" + type + "; send one in each batch");
    }
    return all.isEmpty() ? null : all.getFirst();
  }

  private static int rowBytes(ArrowPayloadType type) {
    return switch (type) {
      case SPANS -> SPAN_BYTES;
      case SPAN_EVENTS, SPAN_LINKS -> CHILD_BYTES;
      default -> ATTRIBUTE_BYTES;
    };
  }
}
