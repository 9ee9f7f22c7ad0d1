package io.headspan.wire.otap;

import io.headspan.wire.Utf8Table;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayload;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import java.util.List;

/// One payload type of a stream being written: its columns and the schema the receiver knows.
final class OutTable {
  private final ArrowPayloadType type;
  private final List<OutColumn> columns;
  private int schemas;

  OutTable(ArrowPayloadType type, OutColumn... columns) {
    this.type = type;
    this.columns = List.of(columns);
  }

  /// Makes room for `rows` rows; the encoder fills the columns then.
  void start(int rows) {
    columns.forEach(column -> column.start(rows));
  }

  /// The payload of the rows that were filled in.
  ArrowPayload payload(int rows, Utf8Table table, IpcWriter out) {
    boolean changed = schemas == 0;
    for (OutColumn column : columns) {
      changed |= column.appear();
    }
    List<OutColumn> present = OutColumn.presentOf(columns);
    if (changed) {
      present.forEach(OutColumn::restart);
    }
    while (prepare(present, table)) {
      changed = true;
      present.forEach(OutColumn::restart);
    }
    if (changed) {
      schemas++;
      out.schema(present);
    }
    present.forEach(column -> column.dictionaries(out));
    out.startBatch();
    present.forEach(column -> column.write(out));
    out.endBatch(rows);
    // The type is part of the id because the Go consumer tells streams apart by id alone.
    return ArrowPayload.newBuilder()
        .setSchemaId(type.getNumber() + "." + schemas)
        .setType(type)
        .setRecord(out.take())
        .build();
  }

  private static boolean prepare(List<OutColumn> columns, Utf8Table table) {
    boolean changed = false;
    for (OutColumn column : columns) {
      changed |= column.prepare(table);
    }
    return changed;
  }
}
