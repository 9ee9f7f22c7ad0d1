package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;

/// The fingerprints of a batch's resources and scopes, and the resource attributes that have
/// columns on spans.
final class Origins {
  /// The resource attributes with columns on spans, in the order of [#hot].
  static final String[] HOT_KEYS = {
    "headspan.tenant", "headspan.team", "service.name", "service.version", "headspan.runtime"
  };

  static final String[] HOT_COLUMNS = {"tenant", "team", "service", "version", "runtime"};

  /// What a span of no instance has.
  static final String INSTANCE_KEY = "faas.instance";

  private final long[] resourceFingerprints;
  private final long[] scopeFingerprints;
  private final int[][] hot;
  private final int[] instance;

  private Origins(
      long[] resourceFingerprints, long[] scopeFingerprints, int[][] hot, int[] instance) {
    this.resourceFingerprints = resourceFingerprints;
    this.scopeFingerprints = scopeFingerprints;
    this.hot = hot;
    this.instance = instance;
  }

  static Origins of(SpanBatch batch) {
    Utf8Table table = batch.table();
    MessageDigest digest = sha256();
    int resources = batch.resources();
    long[] resourceFingerprints = new long[resources];
    int[][] hot = new int[HOT_KEYS.length][resources];
    int[] instance = new int[resources];
    byte[][] hotKeys =
        Arrays.stream(HOT_KEYS)
            .map(key -> key.getBytes(StandardCharsets.UTF_8))
            .toArray(byte[][]::new);
    byte[] instanceKey = INSTANCE_KEY.getBytes(StandardCharsets.UTF_8);
    Attributes attributes = batch.resourceAttributes();
    for (int i = 0; i < resources; i++) {
      add(digest, table, batch.resourceSchemaUrl(i));
      add(digest, batch.resourceDroppedAttributes(i));
      resourceFingerprints[i] = fingerprint(digest, table, attributes, i);
      for (int k = 0; k < hotKeys.length; k++) {
        hot[k][i] = text(table, attributes, i, hotKeys[k]);
      }
      instance[i] = text(table, attributes, i, instanceKey);
    }
    long[] scopeFingerprints = new long[batch.scopes()];
    for (int i = 0; i < scopeFingerprints.length; i++) {
      add(digest, table, batch.scopeName(i));
      add(digest, table, batch.scopeVersion(i));
      add(digest, table, batch.scopeSchemaUrl(i));
      add(digest, batch.scopeDroppedAttributes(i));
      scopeFingerprints[i] = fingerprint(digest, table, batch.scopeAttributes(), i);
    }
    return new Origins(resourceFingerprints, scopeFingerprints, hot, instance);
  }

  /// By resource of the batch.
  long[] resourceFingerprints() {
    return resourceFingerprints;
  }

  /// By scope of the batch.
  long[] scopeFingerprints() {
    return scopeFingerprints;
  }

  /// Table id of attribute `HOT_KEYS[key]` of a resource, that of "" if it has none.
  int hot(int key, int resource) {
    return hot[key][resource];
  }

  int instance(int resource) {
    return instance[resource];
  }

  /// Completes the digest with the attributes of `owner`, by key, whatever their order was.
  private static long fingerprint(
      MessageDigest digest, Utf8Table table, Attributes attributes, int owner) {
    Integer[] rows = new Integer[attributes.end(owner) - attributes.begin(owner)];
    Arrays.setAll(rows, i -> attributes.begin(owner) + i);
    Arrays.sort(
        rows,
        Comparator.<Integer, byte[]>comparing(
            row -> table.bytes(attributes.key(row)), Arrays::compareUnsigned));
    for (int row : rows) {
      byte type = attributes.type(row);
      add(digest, table, attributes.key(row));
      digest.update(type);
      if (AttributeType.isTableId(type)) {
        add(digest, table, (int) attributes.value(row));
      } else {
        digest.update(ByteBuffer.allocate(8).putLong(0, attributes.value(row)));
      }
    }
    return ByteBuffer.wrap(digest.digest()).getLong();
  }

  private static void add(MessageDigest digest, Utf8Table table, int id) {
    add(digest, table.length(id));
    digest.update(table.backing(), table.offset(id), table.length(id));
  }

  private static void add(MessageDigest digest, int value) {
    digest.update(ByteBuffer.allocate(4).putInt(0, value));
  }

  private static int text(Utf8Table table, Attributes attributes, int owner, byte[] key) {
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      int id = attributes.key(row);
      if (attributes.type(row) == AttributeType.STRING
          && table.length(id) == key.length
          && Arrays.equals(
              table.backing(),
              table.offset(id),
              table.offset(id) + key.length,
              key,
              0,
              key.length)) {
        return (int) attributes.value(row);
      }
    }
    return Utf8Table.EMPTY;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
