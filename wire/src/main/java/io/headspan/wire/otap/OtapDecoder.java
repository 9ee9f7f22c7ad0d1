package io.headspan.wire.otap;

import com.github.luben.zstd.ZstdDecompressCtx;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.WireException;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Decodes the batches of one gRPC stream, in their order; all are of one signal. Schemas and
/// dictionaries live as long as the stream; close it when the stream ends. Not thread-safe.
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

  /// Decodes one batch of spans. They come in the order of the sender's rows.
  ///
  /// After an exception of another kind than UNSUPPORTED the state of the stream is unknown, and
  /// every further call fails.
  ///
  /// @throws OtapException if it is not a valid continuation of the stream, holds another signal,
  ///   or needs more memory than allowed
  public SpanBatch decode(BatchArrowRecords records) {
    return decode(records, Signal.TRACES, this::spans);
  }

  /// Decodes one batch of log records, as [#decode] does spans.
  ///
  /// @throws OtapException as there
  public ExportLogsServiceRequest decodeLogs(BatchArrowRecords records) {
    return decode(
        records,
        Signal.LOGS,
        tables -> {
          LogRows rows = new LogRows(batches, tables);
          ExportLogsServiceRequest request = rows.decode();
          ignoredRows += rows.ignored();
          return request;
        });
  }

  /// Decodes one batch of metrics, as [#decode] does spans.
  ///
  /// @throws OtapException as there
  public ExportMetricsServiceRequest decodeMetrics(BatchArrowRecords records) {
    return decode(
        records,
        Signal.METRICS,
        tables -> {
          MetricRows rows = new MetricRows(batches, tables);
          ExportMetricsServiceRequest request = rows.decode();
          ignoredRows += rows.ignored();
          return request;
        });
  }

  private <T> T decode(BatchArrowRecords records, Signal signal, Function<Payloads, T> decoding) {
    if (closed || failed) {
      throw OtapException.invalid(
          "OTAP stream has ended: batch="
              + records.getBatchId()
              + (failed ? ", reason=an earlier batch could not be decoded" : "")
              + "; start another one");
    }
    for (ArrowPayload payload : records.getArrowPayloadsList()) {
      checkType(payload, signal);
    }
    try {
      return decoding.apply(read(records, signal));
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

  private static void checkType(ArrowPayload payload, Signal signal) {
    switch (payload.getType()) {
      case UNKNOWN, UNRECOGNIZED ->
          throw OtapException.invalid(
              "unknown payload type: type="
                  + payload.getTypeValue()
                  + "; send the payloads of "
                  + signal.label);
      default -> {
        if (!signal.types.contains(payload.getType())) {
          throw new OtapException(
              OtapException.Kind.UNSUPPORTED,
              "not a payload of "
                  + signal.label
                  + ": type="
                  + payload.getType()
                  + "; send other signals to their own receivers");
        }
      }
    }
  }

  private Payloads read(BatchArrowRecords records, Signal signal) {
    budget.startBatch();
    batches++;
    Map<ArrowPayloadType, List<ArrowTable>> tables = new EnumMap<>(ArrowPayloadType.class);
    for (ArrowPayload payload : records.getArrowPayloadsList()) {
      budget.use(payload.getRecord().size());
      ArrowTable table = stream(payload).read(payload.getRecord());
      budget.use((long) table.rows() * rowBytes(payload.getType()));
      tables.computeIfAbsent(payload.getType(), _ -> new ArrayList<>()).add(table);
    }
    Payloads payloads = new Payloads(tables);
    boolean empty = tables.values().stream().flatMap(List::stream).allMatch(t -> t.rows() == 0);
    if (!empty && payloads.single(signal.root) == null) {
      throw OtapException.invalid(
          "batch without "
              + signal.items
              + ": batch="
              + records.getBatchId()
              + ", payloads="
              + tables.keySet()
              + "; send a "
              + signal.root
              + " payload in every batch");
    }
    return payloads;
  }

  private SpanBatch spans(Payloads payloads) {
    ArrowTable spans = payloads.single(ArrowPayloadType.SPANS);
    if (spans == null) {
      return new SpanBatch.Builder().build();
    }
    BatchRows batch = new BatchRows(batches, spans.rows());
    batch.spans(spans);
    ArrowTable events = payloads.single(ArrowPayloadType.SPAN_EVENTS);
    if (events != null) {
      batch.events(events);
    }
    ArrowTable links = payloads.single(ArrowPayloadType.SPAN_LINKS);
    if (links != null) {
      batch.links(links);
    }
    payloads.tables().forEach((type, all) -> all.forEach(table -> batch.attributes(type, table)));
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

  private static int rowBytes(ArrowPayloadType type) {
    return switch (type) {
      case SPANS,
          LOGS,
          NUMBER_DATA_POINTS,
          SUMMARY_DATA_POINTS,
          HISTOGRAM_DATA_POINTS,
          EXP_HISTOGRAM_DATA_POINTS,
          UNIVARIATE_METRICS ->
          SPAN_BYTES;
      case SPAN_EVENTS,
          SPAN_LINKS,
          NUMBER_DP_EXEMPLARS,
          HISTOGRAM_DP_EXEMPLARS,
          EXP_HISTOGRAM_DP_EXEMPLARS ->
          CHILD_BYTES;
      default -> ATTRIBUTE_BYTES;
    };
  }

  /// What a stream carries: the payloads that belong to it, and which one the others hang from.
  private record Signal(
      String label, String items, ArrowPayloadType root, Set<ArrowPayloadType> types) {
    private static final Signal TRACES =
        of(
            "traces",
            "spans",
            ArrowPayloadType.SPANS,
            EnumSet.of(
                ArrowPayloadType.SPAN_ATTRS,
                ArrowPayloadType.SPAN_EVENTS,
                ArrowPayloadType.SPAN_LINKS,
                ArrowPayloadType.SPAN_EVENT_ATTRS,
                ArrowPayloadType.SPAN_LINK_ATTRS));

    private static final Signal LOGS =
        of("logs", "log records", ArrowPayloadType.LOGS, EnumSet.of(ArrowPayloadType.LOG_ATTRS));

    private static final Signal METRICS =
        of(
            "metrics",
            "metrics",
            ArrowPayloadType.UNIVARIATE_METRICS,
            EnumSet.of(
                ArrowPayloadType.METRIC_ATTRS,
                ArrowPayloadType.NUMBER_DATA_POINTS,
                ArrowPayloadType.SUMMARY_DATA_POINTS,
                ArrowPayloadType.HISTOGRAM_DATA_POINTS,
                ArrowPayloadType.EXP_HISTOGRAM_DATA_POINTS,
                ArrowPayloadType.NUMBER_DP_ATTRS,
                ArrowPayloadType.SUMMARY_DP_ATTRS,
                ArrowPayloadType.HISTOGRAM_DP_ATTRS,
                ArrowPayloadType.EXP_HISTOGRAM_DP_ATTRS,
                ArrowPayloadType.NUMBER_DP_EXEMPLARS,
                ArrowPayloadType.HISTOGRAM_DP_EXEMPLARS,
                ArrowPayloadType.EXP_HISTOGRAM_DP_EXEMPLARS,
                ArrowPayloadType.NUMBER_DP_EXEMPLAR_ATTRS,
                ArrowPayloadType.HISTOGRAM_DP_EXEMPLAR_ATTRS,
                ArrowPayloadType.EXP_HISTOGRAM_DP_EXEMPLAR_ATTRS));

    private static Signal of(
        String label, String items, ArrowPayloadType root, Set<ArrowPayloadType> own) {
      Set<ArrowPayloadType> all = EnumSet.copyOf(own);
      all.addAll(List.of(root, ArrowPayloadType.RESOURCE_ATTRS, ArrowPayloadType.SCOPE_ATTRS));
      return new Signal(label, items, root, Set.copyOf(all));
    }
  }
}
