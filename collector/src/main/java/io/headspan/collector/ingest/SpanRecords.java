package io.headspan.collector.ingest;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanExcerpt;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Spans.
public final class SpanRecords implements Records<SpanBatch> {
  /// The attribute of resources that names the tenant.
  public static final String TENANT = "headspan.tenant";

  /// Ids, times, counts of a span, and of each event and link.
  private static final int FIXED_BYTES = 64;

  private static final int NUMBER_BYTES = 8;

  private final SpanBatch batch;
  private final List<String> tenants = new ArrayList<>();
  private final int[] tenantOfScope;

  public SpanRecords(SpanBatch batch) {
    this.batch = batch;
    Map<String, Integer> indexes = new HashMap<>();
    int[] ofResource = new int[batch.resources()];
    for (int resource = 0; resource < ofResource.length; resource++) {
      ofResource[resource] =
          indexes.computeIfAbsent(
              tenant(batch, resource),
              tenant -> {
                tenants.add(tenant);
                return tenants.size() - 1;
              });
    }
    tenantOfScope = new int[batch.scopes()];
    for (int scope = 0; scope < tenantOfScope.length; scope++) {
      tenantOfScope[scope] = ofResource[batch.scopeResource(scope)];
    }
  }

  /// The tenant of a resource, as the store reads it; "" if it has none.
  private static String tenant(SpanBatch batch, int resource) {
    Attributes attributes = batch.resourceAttributes();
    for (int row = attributes.begin(resource); row < attributes.end(resource); row++) {
      if (attributes.type(row) == AttributeType.STRING
          && batch.text(attributes.key(row)).equals(TENANT)) {
        return batch.text((int) attributes.value(row));
      }
    }
    return "";
  }

  @Override
  public SpanBatch batch() {
    return batch;
  }

  @Override
  public Omission.Kind kind() {
    return Omission.Kind.SPANS;
  }

  @Override
  public int size() {
    return batch.size();
  }

  @Override
  public List<String> tenants() {
    return tenants;
  }

  @Override
  public int tenant(int record) {
    return tenantOfScope[batch.scope(record)];
  }

  @Override
  public int attributes(int record) {
    return batch.spanAttributes().end(record) - batch.spanAttributes().begin(record);
  }

  @Override
  public int longestValueBytes(int record) {
    Attributes attributes = batch.spanAttributes();
    int longest = 0;
    for (int row = attributes.begin(record); row < attributes.end(record); row++) {
      longest = Math.max(longest, valueBytes(attributes, row));
    }
    return longest;
  }

  @Override
  public long bytes(int record) {
    long bytes =
        FIXED_BYTES
            + batch.table().length(batch.name(record))
            + batch.table().length(batch.statusMessage(record))
            + batch.table().length(batch.traceState(record))
            + bytes(batch.spanAttributes(), record);
    for (int event = batch.eventBegin(record); event < batch.eventEnd(record); event++) {
      bytes +=
          FIXED_BYTES
              + batch.table().length(batch.eventName(event))
              + bytes(batch.eventAttributes(), event);
    }
    for (int link = batch.linkBegin(record); link < batch.linkEnd(record); link++) {
      bytes +=
          FIXED_BYTES
              + batch.table().length(batch.linkTraceState(link))
              + bytes(batch.linkAttributes(), link);
    }
    return bytes;
  }

  private long bytes(Attributes attributes, int owner) {
    long bytes = 0;
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      bytes += batch.table().length(attributes.key(row)) + valueBytes(attributes, row);
    }
    return bytes;
  }

  private int valueBytes(Attributes attributes, int row) {
    return AttributeType.isTableId(attributes.type(row))
        ? batch.table().length((int) attributes.value(row))
        : NUMBER_BYTES;
  }

  @Override
  public SpanBatch excerpt(BitSet records) {
    return SpanExcerpt.of(batch, records);
  }
}
