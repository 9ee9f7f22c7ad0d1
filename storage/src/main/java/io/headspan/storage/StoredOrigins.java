package io.headspan.storage;

import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/// The stored resources and scopes, read when spans name them. A fingerprint says all about its
/// origin, so what was read once is kept and stays right. Thread-safe.
final class StoredOrigins {
  private static final int KEPT_MAX = 20_000;

  private static final String SQL =
      """
      SELECT false AS scope, fp, keys, types, values, schema_url, dropped_attributes,
          '' AS name, '' AS version
      FROM resources
      WHERE fp IN {resources:Array(UInt64)} AND day IN {days:Array(UInt16)}
      LIMIT 1 BY fp
      UNION ALL
      SELECT true AS scope, fp, keys, types, values, schema_url, dropped_attributes, name, version
      FROM scopes
      WHERE fp IN {scopes:Array(UInt64)} AND day IN {days:Array(UInt16)}
      LIMIT 1 BY fp
      """;

  /// What names an origin.
  record Key(boolean scope, long fingerprint) {}

  /// An attribute as it is kept: its value as text, see [BlockEncoder].
  private record Attribute(byte[] key, byte type, byte[] value) {}

  /// A resource or scope; a resource has no name and version.
  private record Origin(
      byte[] name, byte[] version, byte[] schemaUrl, int dropped, List<Attribute> attributes) {}

  private final BlockSource client;
  private final Map<Key, Origin> kept = new ConcurrentHashMap<>();

  StoredOrigins(BlockSource client) {
    this.client = client;
  }

  /// Reads those of `keys` that are not known yet.
  ///
  /// @param days the days of the spans that name them, since 1970
  void load(Set<Key> keys, Set<Integer> days) {
    Set<BigInteger> resources = new TreeSet<>();
    Set<BigInteger> scopes = new TreeSet<>();
    for (Key key : keys) {
      if (!kept.containsKey(key)) {
        (key.scope() ? scopes : resources)
            .add(new BigInteger(Long.toUnsignedString(key.fingerprint())));
      }
    }
    if (resources.isEmpty() && scopes.isEmpty()) {
      return;
    }
    if (kept.size() > KEPT_MAX) {
      kept.clear();
    }
    SqlQuery query =
        SqlQuery.of(SQL)
            .bind("resources", List.copyOf(resources))
            .bind("scopes", List.copyOf(scopes))
            .bind("days", List.copyOf(days))
            .setting("max_threads", "1");
    client.select(query, this::keep);
  }

  /// Adds the resource to a batch and returns its index. One that an operator has dropped from the
  /// store is empty.
  int addResource(SpanBatch.Builder builder, long fingerprint) {
    int resource = builder.addResource();
    find(false, fingerprint)
        .ifPresent(origin -> {
          builder.resourceSchemaUrl(resource, id(builder.table(), origin.schemaUrl()));
          builder.resourceDroppedAttributes(resource, origin.dropped());
          add(builder.resourceAttributes(), builder.table(), resource, origin);
        });
    return resource;
  }

  /// Adds the scope, as one of `resource`, to a batch and returns its index.
  int addScope(SpanBatch.Builder builder, int resource, long fingerprint) {
    int scope = builder.addScope(resource);
    find(true, fingerprint)
        .ifPresent(origin -> {
          builder.scopeName(scope, id(builder.table(), origin.name()));
          builder.scopeVersion(scope, id(builder.table(), origin.version()));
          builder.scopeSchemaUrl(scope, id(builder.table(), origin.schemaUrl()));
          builder.scopeDroppedAttributes(scope, origin.dropped());
          add(builder.scopeAttributes(), builder.table(), scope, origin);
        });
    return scope;
  }

  private Optional<Origin> find(boolean scope, long fingerprint) {
    return Optional.ofNullable(kept.get(new Key(scope, fingerprint)));
  }

  private void keep(NativeBlock block) {
    NativeColumn.Lists keys = (NativeColumn.Lists) block.column("keys");
    NativeColumn.Lists types = (NativeColumn.Lists) block.column("types");
    NativeColumn.Lists values = (NativeColumn.Lists) block.column("values");
    for (int row = 0; row < block.rows(); row++) {
      List<Attribute> attributes = new ArrayList<>();
      for (int i = keys.start(row); i < keys.end(row); i++) {
        attributes.add(
            new Attribute(
                NativeBlock.bytes(keys.elements(), i),
                (byte) NativeBlock.integer(types.elements(), i),
                NativeBlock.bytes(values.elements(), i)));
      }
      kept.put(
          new Key(
              NativeBlock.integer(block.column("scope"), row) != 0,
              NativeBlock.integer(block.column("fp"), row)),
          new Origin(
              NativeBlock.bytes(block.column("name"), row),
              NativeBlock.bytes(block.column("version"), row),
              NativeBlock.bytes(block.column("schema_url"), row),
              (int) NativeBlock.integer(block.column("dropped_attributes"), row),
              attributes));
    }
  }

  private static void add(Attributes.Builder target, Utf8Table table, int owner, Origin origin) {
    for (Attribute each : origin.attributes()) {
      target.add(
          owner,
          id(table, each.key()),
          each.type(),
          TextValue.read(table, each.type(), each.value()));
    }
  }

  private static int id(Utf8Table table, byte[] bytes) {
    return table.intern(bytes, 0, bytes.length);
  }
}
