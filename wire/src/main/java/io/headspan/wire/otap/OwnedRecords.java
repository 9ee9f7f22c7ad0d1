package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpAttributes;
import io.headspan.wire.otlp.OtlpEncoder;
import io.opentelemetry.proto.common.v1.InstrumentationScope;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.experimental.arrow.v1.ArrowPayloadType;
import io.opentelemetry.proto.resource.v1.Resource;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The rows of a payload that have resources and scopes, which are read as those of spans are, and
/// what the decoders of logs and metrics need to make messages of rows.
final class OwnedRecords {
  private final Payloads payloads;
  private final ArrowTable rows;
  private final BatchRows batch;
  private final SpanBatch owners;
  private final OtlpAttributes attributes;

  /// @param number different for every batch of the stream
  /// @param rows has the columns `resource`, `scope` and `schema_url`
  OwnedRecords(long number, Payloads payloads, ArrowTable rows) {
    this.payloads = payloads;
    this.rows = rows;
    batch = new BatchRows(number, rows.rows());
    batch.owners(rows);
    for (ArrowPayloadType type :
        List.of(ArrowPayloadType.RESOURCE_ATTRS, ArrowPayloadType.SCOPE_ATTRS)) {
      payloads.all(type).forEach(table -> batch.attributes(type, table));
    }
    owners = batch.build();
    attributes = new OtlpAttributes(batch.table());
  }

  /// Takes each resource with its scopes, and each scope with its rows.
  interface Visitor {
    void resource(Resource resource, String schemaUrl);

    void scope(InstrumentationScope scope, String schemaUrl, List<Integer> rows);
  }

  void visit(Visitor visitor) {
    List<List<Integer>> byScope = new ArrayList<>();
    for (int scope = 0; scope < owners.scopes(); scope++) {
      byScope.add(new ArrayList<>());
    }
    for (int row = 0; row < rows.rows(); row++) {
      byScope.get(owners.scope(row)).add(row);
    }
    List<List<Integer>> byResource = new ArrayList<>();
    for (int resource = 0; resource < owners.resources(); resource++) {
      byResource.add(new ArrayList<>());
    }
    for (int scope = 0; scope < owners.scopes(); scope++) {
      byResource.get(owners.scopeResource(scope)).add(scope);
    }
    for (int resource = 0; resource < owners.resources(); resource++) {
      visitor.resource(
          OtlpEncoder.resource(owners, resource), owners.text(owners.resourceSchemaUrl(resource)));
      for (int scope : byResource.get(resource)) {
        visitor.scope(
            OtlpEncoder.scope(owners, scope),
            owners.text(owners.scopeSchemaUrl(scope)),
            byScope.get(scope));
      }
    }
  }

  /// The ids of rows, for those that belong to them.
  static OwnerIndex index(ArrowTable table) {
    OwnerIndex index = new OwnerIndex(IdColumns.ids(table.find("id"), table.rows()), table.rows());
    if (index.hasDuplicates()) {
      throw OtapException.invalid(
          "two rows of one id in a batch: rows=" + table.rows() + "; give each an id of its own");
    }
    return index;
  }

  /// The attributes in payloads of one type, by the place of their owner.
  Attributes attributes(ArrowPayloadType type, OwnerIndex owners, int count) {
    return batch.attributes(payloads.all(type), owners, count);
  }

  void each(Attributes from, int owner, Consumer<KeyValue> to) {
    attributes.each(from, owner, to);
  }

  /// Rows left out because they belong to nothing.
  long ignored() {
    return batch.ignored();
  }

  BatchRows batch() {
    return batch;
  }

  OtlpAttributes values() {
    return attributes;
  }

  /// A column of texts; "" for each row if the sender left it out.
  String[] texts(@Nullable Column column, int count) {
    int[] ids = batch.texts(column, count);
    String[] texts = new String[count];
    for (int row = 0; row < count; row++) {
      // Rows in succession often share a text.
      texts[row] =
          row > 0 && ids[row] == ids[row - 1] ? texts[row - 1] : batch.table().string(ids[row]);
    }
    return texts;
  }

  /// A column of numbers; 0 for each row if the sender left it out.
  static long[] numbers(@Nullable Column column, int count) {
    long[] numbers = new long[count];
    BatchRows.numbers(column, numbers);
    return numbers;
  }

  /// A column of ids of 8 or 16 bytes; an empty one where it is null or zero.
  static ByteString[] ids(@Nullable Column column, int width, int count) {
    ByteString[] ids = new ByteString[count];
    long[] first = new long[count];
    long[] second = new long[count];
    if (column != null) {
      column.ids(width, 0, first);
      if (width > Long.BYTES) {
        column.ids(width, Long.BYTES, second);
      }
    }
    for (int row = 0; row < count; row++) {
      ids[row] = ByteString.EMPTY;
      if ((first[row] | second[row]) != 0) {
        ByteBuffer bytes = ByteBuffer.allocate(2 * Long.BYTES);
        bytes.putLong(first[row]).putLong(second[row]).flip().limit(width);
        ids[row] = ByteString.copyFrom(bytes);
      }
    }
    return ids;
  }
}
