package io.headspan.collector.receive;

/// Texts of errors as they are sent: short enough for a header field.
final class ErrorText {
  private static final int MAX_CHARS = 1000;

  private ErrorText() {}

  static String of(Throwable e) {
    return shortened(e.getMessage() == null ? e.getClass().getName() : e.getMessage());
  }

  static String shortened(String text) {
    return text.length() <= MAX_CHARS ? text : text.substring(0, MAX_CHARS - 1) + "…";
  }
}
