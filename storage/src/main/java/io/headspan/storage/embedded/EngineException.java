package io.headspan.storage.embedded;

import java.io.Serial;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// ClickHouse refused or failed a statement.
final class EngineException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  static final int BAD_ARGUMENTS = 36;
  static final int NOT_IMPLEMENTED = 48;
  static final int SYNTAX_ERROR = 62;
  static final int QUERY_IS_TOO_LARGE = 229;
  static final int TOO_MANY_SIMULTANEOUS_QUERIES = 202;
  static final int SUPPORT_IS_DISABLED = 344;
  static final int QUERY_WAS_CANCELLED = 394;
  static final int CANNOT_DECOMPRESS = 271;
  static final int ACCESS_DENIED = 497;
  static final int AUTHENTICATION_FAILED = 516;
  private static final int UNKNOWN_EXCEPTION = 1002;

  private static final Pattern CODE = Pattern.compile("Code: (\\d+)\\.");

  private final int code;

  EngineException(int code, String message) {
    super(message);
    this.code = code;
  }

  /// Our own refusal, worded as ClickHouse words its own.
  static EngineException refusal(int code, String name, String message) {
    return new EngineException(
        code, "Code: " + code + ". DB::Exception: " + message + ". (" + name + ")");
  }

  /// A refusal that the client should take as a request to come back later.
  static EngineException busy(String message) {
    return refusal(TOO_MANY_SIMULTANEOUS_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", message);
  }

  /// Of the text that the library gives, `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`.
  static EngineException of(String text) {
    Matcher matcher = CODE.matcher(text);
    if (matcher.lookingAt()) {
      return new EngineException(Integer.parseInt(matcher.group(1)), text);
    }
    return refusal(UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", text);
  }

  /// ClickHouse's error code.
  int code() {
    return code;
  }

  /// The HTTP status that ClickHouse answers with for this code, after its
  /// `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`.
  int httpStatus() {
    return switch (code) {
      case 194 -> 401; // REQUIRED_PASSWORD
      case 192, 193, 512, ACCESS_DENIED, AUTHENTICATION_FAILED -> 403;
      // Bad arguments, wrong types, and whatever cannot be parsed.
      case 6, 8, 15, 25, 26, 27, 37, 38, 41, 44, 53, 72, 117, 123, 167, 168 -> 400;
      case BAD_ARGUMENTS, SYNTAX_ERROR, 223, 321, 376, 427, 441, 675, 676 -> 400;
      // Unknown table, function, column, type, storage, setting, format, database and so on.
      case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511 -> 404;
      case 159 -> 408; // TIMEOUT_EXCEEDED
      case 381 -> 411; // HTTP_LENGTH_REQUIRED
      case 779 -> 415; // UNSUPPORTED_MEDIA_TYPE
      case QUERY_IS_TOO_LARGE -> 413;
      case NOT_IMPLEMENTED -> 501;
      // SOCKET_TIMEOUT, CANNOT_OPEN_FILE, CANNOT_SCHEDULE_TASK, and the gateway's own refusal of
      // more work, which ClickHouse has no HTTP status for.
      case 76, 209, 439, TOO_MANY_SIMULTANEOUS_QUERIES -> 503;
      default -> 500;
    };
  }
}
