package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.resource.v1.Resource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Puts the tables of one batch of logs together (OTAP specification, section 5.2).
final class LogRows {
  private static final int TRACE_ID_BYTES = 16;

  private final long number;
  private final Payloads payloads;
  private long ignored;

  /// @param number different for every batch of the stream
  LogRows(long number, Payloads payloads) {
    this.number = number;
    this.payloads = payloads;
  }

  long ignored() {
    return ignored;
  }

  ExportLogsServiceRequest decode() {
    ArrowTable rows = payloads.single(ArrowPayloadType.LOGS);
    if (rows == null) {
      return ExportLogsServiceRequest.getDefaultInstance();
    }
    OwnedRecords owned = new OwnedRecords(number, payloads, rows);
    LogRecord[] logs = logs(rows, owned);
    ignored = owned.ignored();
    ExportLogsServiceRequest.Builder request = ExportLogsServiceRequest.newBuilder();
    owned.visit(
        new OwnedRecords.Visitor() {
          private ResourceLogs.@Nullable Builder current;

          @Override
          public void resource(Resource resource, String schemaUrl) {
            current =
                request.addResourceLogsBuilder().setResource(resource).setSchemaUrl(schemaUrl);
          }

          @Override
          public void scope(InstrumentationScope scope, String schemaUrl, List<Integer> of) {
            if (current == null) {
              throw new IllegalStateException("scope before its resource");
            }
            ScopeLogs.Builder to =
                current.addScopeLogsBuilder().setScope(scope).setSchemaUrl(schemaUrl);
            of.forEach(row -> to.addLogRecords(logs[row]));
          }
        });
    return request.build();
  }

  private static LogRecord[] logs(ArrowTable rows, OwnedRecords owned) {
    int n = rows.rows();
    Attributes attributes =
        owned.attributes(ArrowPayloadType.LOG_ATTRS, OwnedRecords.index(rows), n);
    long[] times = OwnedRecords.numbers(rows.find("time_unix_nano"), n);
    long[] observed = OwnedRecords.numbers(rows.find("observed_time_unix_nano"), n);
    ByteString[] traceIds = OwnedRecords.ids(rows.find("trace_id"), TRACE_ID_BYTES, n);
    ByteString[] spanIds = OwnedRecords.ids(rows.find("span_id"), Long.BYTES, n);
    long[] severities = OwnedRecords.numbers(rows.find("severity_number"), n);
    String[] severityTexts = owned.texts(rows.find("severity_text"), n);
    String[] eventNames = owned.texts(rows.find("event_name"), n);
    long[] dropped = OwnedRecords.numbers(rows.find("dropped_attributes_count"), n);
    long[] flags = OwnedRecords.numbers(rows.find("flags"), n);
    ArrowTable body = body(rows);
    long[] types = OwnedRecords.numbers(body.find("type"), n);
    long[] bodies = owned.batch().values(body, types);
    LogRecord[] logs = new LogRecord[n];
    for (int row = 0; row < n; row++) {
      LogRecord.Builder log =
          LogRecord.newBuilder()
              .setTimeUnixNano(times[row])
              .setObservedTimeUnixNano(observed[row])
              .setTraceId(traceIds[row])
              .setSpanId(spanIds[row])
              .setSeverityNumberValue((int) severities[row])
              .setSeverityText(severityTexts[row])
              .setEventName(eventNames[row])
              .setDroppedAttributesCount((int) dropped[row])
              .setFlags((int) flags[row]);
      // A body without a value is an empty one, as for the Go consumer; so is one of a type that is
      // not known yet.
      boolean known = types[row] <= AttributeType.BYTES;
      log.setBody(
          owned
              .values()
              .value(known ? (byte) types[row] : AttributeType.EMPTY, known ? bodies[row] : 0));
      owned.each(attributes, row, log::addAttributes);
      logs[row] = log.build();
    }
    return logs;
  }

  /// The body's columns, which are those of an attribute's value.
  private static ArrowTable body(ArrowTable rows) {
    Map<String, Column> columns = new HashMap<>();
    Column body = rows.find("body");
    if (body != null) {
      body.children().forEach(each -> columns.put(each.name(), each));
    }
    return new ArrowTable(rows.rows(), columns);
  }
}
