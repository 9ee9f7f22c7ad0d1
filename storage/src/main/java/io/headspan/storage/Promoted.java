package io.headspan.storage;

import io.headspan.wire.AttributeType;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The span attributes that have a column of their own. The index is that of the bit in column
/// `promoted` and must not change: stored spans rely on it.
enum Promoted {
  QUEUE_NS(0, "headspan.queue_ns", "queue_ns", AttributeType.INT),
  CPU_NS(1, "headspan.cpu_ns", "cpu_ns", AttributeType.INT),
  STOLEN_NS(2, "headspan.stolen_ns", "stolen_ns", AttributeType.INT),
  HTTP_METHOD(3, "http.request.method", "http_method", AttributeType.STRING),
  HTTP_ROUTE(4, "http.route", "http_route", AttributeType.STRING),
  URL_PATH(5, "url.path", "url_path", AttributeType.STRING),
  HTTP_STATUS(6, "http.response.status_code", "http_status", AttributeType.INT),
  RPC_METHOD(7, "rpc.method", "rpc_method", AttributeType.STRING),
  DB_SYSTEM(8, "db.system.name", "db_system", AttributeType.STRING),
  FAAS_COLDSTART(9, "faas.coldstart", "faas_coldstart", AttributeType.BOOL);

  static final int COUNT = values().length;
  private static final Promoted[] ALL = values();
  private static final int UINT16_MAX = 65535;

  private final int index;
  private final String key;

  /// Never changed.
  @SuppressWarnings("ImmutableEnumChecker")
  private final byte[] keyBytes;

  private final String column;
  private final byte type;

  Promoted(int index, String key, String column, byte type) {
    this.index = index;
    this.key = key;
    this.keyBytes = key.getBytes(StandardCharsets.UTF_8);
    this.column = column;
    this.type = type;
  }

  /// Name of the attribute.
  String key() {
    return key;
  }

  String column() {
    return column;
  }

  byte type() {
    return type;
  }

  /// Position of its bit in `promoted`.
  int index() {
    return index;
  }

  int bit() {
    return 1 << index;
  }

  /// Whether the column can hold a value of this type.
  boolean fits(byte valueType, long value) {
    return valueType == type && (this != HTTP_STATUS || (value >= 0 && value <= UINT16_MAX));
  }

  /// The index of the one with this key, -1 if there is none.
  static int find(byte[] source, int offset, int length) {
    for (Promoted each : ALL) {
      if (each.keyBytes.length == length
          && Arrays.equals(each.keyBytes, 0, length, source, offset, offset + length)) {
        return each.index;
      }
    }
    return -1;
  }
}
