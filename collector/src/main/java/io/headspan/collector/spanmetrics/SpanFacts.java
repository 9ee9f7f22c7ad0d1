package io.headspan.collector.spanmetrics;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What metrics need to know of the spans of a batch. Not thread-safe.
final class SpanFacts {
  /// Attributes that are looked at.
  enum Key {
    SERVICE("service.name"),
    TENANT("headspan.tenant"),
    RUNTIME("headspan.runtime"),
    OPEN("headspan.open"),
    HEADER_PARENT("headspan.header_parent"),
    PEER_SERVICE("peer.service"),
    DB_NAMESPACE("db.namespace"),
    DB_NAME("db.name"),
    DB_SYSTEM_NAME("db.system.name"),
    DB_SYSTEM("db.system"),
    SERVER_ADDRESS("server.address"),
    PEER_ADDRESS("network.peer.address"),
    PEER_PORT("network.peer.port"),
    /// Any other.
    OTHER("");

    private final String text;

    Key(String text) {
      this.text = text;
    }
  }

  private static final Map<String, Key> KEYS = new HashMap<>();

  static {
    for (Key key : Key.values()) {
      KEYS.put(key.text, key);
    }
  }

  private final SpanBatch batch;

  /// By id of the batch's table; null if nobody looked yet.
  private final @Nullable Key[] keys;

  private final Map<Integer, Double> weights = new HashMap<>();
  private final Source[] sources;

  /// Whose span it is.
  record Source(String service, String tenant, String runtime) {}

  SpanFacts(SpanBatch batch) {
    this.batch = batch;
    keys = new Key[batch.table().size()];
    sources = new Source[batch.resources()];
    for (int resource = 0; resource < sources.length; resource++) {
      Attributes attributes = batch.resourceAttributes();
      sources[resource] =
          new Source(
              text(attributes, resource, Key.SERVICE),
              text(attributes, resource, Key.TENANT),
              text(attributes, resource, Key.RUNTIME));
    }
  }

  int resource(int span) {
    return batch.scopeResource(batch.scope(span));
  }

  Source source(int span) {
    return sources[resource(span)];
  }

  /// Whether the span will come again when it has ended.
  boolean isOpen(int span) {
    Attributes attributes = batch.spanAttributes();
    int row = find(attributes, span, Key.OPEN);
    return row >= 0 && attributes.type(row) == AttributeType.BOOL && attributes.value(row) == 1;
  }

  /// How many spans it stands for.
  double weight(int span) {
    int traceState = batch.traceState(span);
    return traceState == 0
        ? 1
        : weights.computeIfAbsent(traceState, id -> AdjustedCount.of(batch.text(id)));
  }

  /// An attribute of a span, as text; empty if it has none.
  String text(int span, Key key) {
    return text(batch.spanAttributes(), span, key);
  }

  private String text(Attributes attributes, int owner, Key key) {
    int row = find(attributes, owner, key);
    if (row < 0) {
      return "";
    }
    return switch (attributes.type(row)) {
      case AttributeType.STRING -> batch.text((int) attributes.value(row));
      case AttributeType.INT -> Long.toString(attributes.value(row));
      default -> "";
    };
  }

  private int find(Attributes attributes, int owner, Key key) {
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      int id = attributes.key(row);
      Key found = keys[id];
      if (found == null) {
        found = KEYS.getOrDefault(batch.text(id), Key.OTHER);
        keys[id] = found;
      }
      if (found == key) {
        return row;
      }
    }
    return -1;
  }
}
