package io.headspan.storage;

import io.headspan.wire.AttributeType;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// The span attributes that have a column of their own. The order is that of the bits in column
/// `promoted` and must not change: stored spans rely on it.
enum Promoted {
  QUEUE_NS("headspan.queue_ns", "queue_ns", AttributeType.INT),
  CPU_NS("headspan.cpu_ns", "cpu_ns", AttributeType.INT),
  STOLEN_NS("headspan.stolen_ns", "stolen_ns", AttributeType.INT),
  HTTP_METHOD("http.request.method", "http_method", AttributeType.STRING),
  HTTP_ROUTE("http.route", "http_route", AttributeType.STRING),
  URL_PATH("url.path", "url_path", AttributeType.STRING),
  HTTP_STATUS("http.response.status_code", "http_status", AttributeType.INT),
  RPC_METHOD("rpc.method", "rpc_method", AttributeType.STRING),
  DB_SYSTEM("db.system.name", "db_system", AttributeType.STRING),
  FAAS_COLDSTART("faas.coldstart", "faas_coldstart", AttributeType.BOOL);

  static final int COUNT = values().length;
  private static final Promoted[] ALL = values();
  private static final int UINT16_MAX = 65535;

  private final String key;
  private final byte[] keyBytes;
  private final String column;
  private final byte type;

  Promoted(String key, String column, byte type) {
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

  int bit() {
    return 1 << ordinal();
  }

  /// Whether the column can hold a value of this type.
  boolean fits(byte valueType, long value) {
    return valueType == type && (this != HTTP_STATUS || (value >= 0 && value <= UINT16_MAX));
  }

  /// The ordinal of the one with this key, -1 if there is none.
  static int find(byte[] source, int offset, int length) {
    for (Promoted each : ALL) {
      if (each.keyBytes.length == length
          && Arrays.equals(each.keyBytes, 0, length, source, offset, offset + length)) {
        return each.ordinal();
      }
    }
    return -1;
  }
}
