package io.headspan.agent.invocation;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// Tells by the first bytes that a client sent, together with the port where that is not enough,
/// what a connection speaks. The names are those of `db.system.name` in the semantic conventions.
///
/// The bytes are looked at and forgotten; nothing of them is kept.
public final class PeerProtocol {
  /// How many bytes are enough.
  public static final int FIRST_BYTES = 16;

  private static final int POSTGRES_3_0 = 0x0003_0000;
  private static final int POSTGRES_SSL_REQUEST = 80_877_103;
  private static final int POSTGRES_CANCEL_REQUEST = 80_877_102;
  private static final int POSTGRES_PORT = 5432;
  private static final int MYSQL_PORT = 3306;
  private static final int MONGO_MESSAGE = 2013;
  private static final int MONGO_QUERY = 2004;
  private static final int MEMCACHED_REQUEST = 0x80;
  private static final int MEMCACHED_HEADER_BYTES = 16;
  private static final String[] MEMCACHED_COMMANDS = {
    "get ", "gets ", "set ", "add ", "mg ", "ms ", "incr ", "decr ", "delete ", "touch "
  };
  private static final int MEMCACHED_PORT = 11211;

  private PeerProtocol() {}

  /// The name of the system; null if the evidence names none.
  ///
  /// @param first what the client sent first, [#FIRST_BYTES] of it or all there was
  /// @param port of the server
  public static @Nullable String of(byte[] first, int port) {
    if (isRedis(first)) {
      return "redis";
    }
    if (isPostgres(first, port)) {
      return "postgresql";
    }
    if (isMongo(first)) {
      return "mongodb";
    }
    if (isMemcached(first, port)) {
      return "memcached";
    }
    return port == MYSQL_PORT && isMysql(first) ? "mysql" : null;
  }

  /// An array of bulk strings (RESP): `*3\r\n$`.
  private static boolean isRedis(byte[] first) {
    if (first.length < 5 || first[0] != '*') {
      return false;
    }
    int at = 1;
    while (at < first.length && first[at] >= '0' && first[at] <= '9') {
      at++;
    }
    return at > 1
        && at + 2 < first.length
        && first[at] == '\r'
        && first[at + 1] == '\n'
        && first[at + 2] == '$';
  }

  /// A start-up message, or, in a connection that began earlier, a typed message of plausible
  /// length at the usual port.
  private static boolean isPostgres(byte[] first, int port) {
    if (first.length >= 8) {
      int code = bigEndian(first, 4);
      if (code == POSTGRES_3_0 || code == POSTGRES_SSL_REQUEST || code == POSTGRES_CANCEL_REQUEST) {
        return bigEndian(first, 0) >= 8;
      }
    }
    return port == POSTGRES_PORT
        && first.length >= 5
        && "QPBEXpDCSH".indexOf(first[0]) >= 0
        && bigEndian(first, 1) >= 4
        && bigEndian(first, 1) < 1 << 30;
  }

  /// A message header: length, request id, response to (0), operation.
  private static boolean isMongo(byte[] first) {
    if (first.length < FIRST_BYTES) {
      return false;
    }
    int operation = littleEndian(first, 12);
    return (operation == MONGO_MESSAGE || operation == MONGO_QUERY)
        && littleEndian(first, 0) >= FIRST_BYTES
        && littleEndian(first, 8) == 0;
  }

  private static boolean isMemcached(byte[] first, int port) {
    if (port != MEMCACHED_PORT) {
      return false;
    }
    if (first.length >= MEMCACHED_HEADER_BYTES && (first[0] & 0xff) == MEMCACHED_REQUEST) {
      return true;
    }
    String text = new String(first, StandardCharsets.US_ASCII);
    for (String command : MEMCACHED_COMMANDS) {
      if (text.startsWith(command)) {
        return true;
      }
    }
    return false;
  }

  /// A packet: length in three bytes, sequence number 0 for a command and 1 for the answer to the
  /// server's greeting.
  private static boolean isMysql(byte[] first) {
    return first.length >= 5
        && (littleEndian(first, 0) & 0xff_ffff) > 0
        && (first[3] == 0 || first[3] == 1);
  }

  private static int bigEndian(byte[] bytes, int at) {
    return Integer.reverseBytes(littleEndian(bytes, at));
  }

  private static int littleEndian(byte[] bytes, int at) {
    return (bytes[at] & 0xff)
        | (bytes[at + 1] & 0xff) << 8
        | (bytes[at + 2] & 0xff) << 16
        | (bytes[at + 3] & 0xff) << 24;
  }
}
