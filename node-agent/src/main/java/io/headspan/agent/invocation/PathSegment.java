package io.headspan.agent.invocation;

/// What a path segment looks like by its form alone: a name of the interface, or a value that
/// somebody put there.
enum PathSegment {
  /// Nothing in its form says that it is a value.
  NAME,
  /// Digits only, a UUID, hexadecimal of some length, an e-mail address, or a long mixture of
  /// letters and digits, as random tokens are.
  ID,
  /// A calendar date, perhaps with a time behind it.
  DATE;

  private static final int HEX_MIN = 8;
  private static final int HEX_MIN_WITHOUT_DIGIT = 16;
  private static final int UUID_LENGTH = 36;
  private static final int DATE_LENGTH = 10;
  private static final int TOKEN_MIN = 20;

  /// How often letters and digits take turns in a token; in `exportInvoicesToPdfV2` they do once.
  private static final int TOKEN_TURNS_MIN = 3;

  /// Longer than any name.
  private static final int NAME_MAX = 64;

  /// Judges the segment of `path` in `[from, to)`.
  static PathSegment of(String path, int from, int to) {
    int digits = 0;
    int hexLetters = 0;
    int otherLetters = 0;
    int uuidDashes = 0;
    int others = 0;
    int turns = 0;
    boolean email = false;
    int before = 0;
    for (int i = from; i < to; i++) {
      char c = path.charAt(i);
      int kind = 0;
      if (c >= '0' && c <= '9') {
        digits++;
        kind = 1;
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        hexLetters++;
        kind = 2;
      } else if ((c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z')) {
        otherLetters++;
        kind = 2;
      } else if (c == '-' && isUuidDash(i - from)) {
        uuidDashes++;
      } else {
        others++;
        email |= c == '@' && i > from;
      }
      if (kind != 0) {
        turns += before != 0 && kind != before ? 1 : 0;
        before = kind;
      }
    }
    int length = to - from;
    if (isDate(path, from, to)) {
      return DATE;
    }
    if (email || length > NAME_MAX || (length >= TOKEN_MIN && turns >= TOKEN_TURNS_MIN)) {
      return ID;
    }
    if (otherLetters > 0 || others > 0) {
      return NAME;
    }
    if (uuidDashes > 0) {
      return uuidDashes == 4 && length == UUID_LENGTH ? ID : NAME;
    }
    if (hexLetters == 0) {
      return digits > 0 ? ID : NAME;
    }
    return length >= (digits > 0 ? HEX_MIN : HEX_MIN_WITHOUT_DIGIT) ? ID : NAME;
  }

  private static boolean isUuidDash(int at) {
    return at == 8 || at == 13 || at == 18 || at == 23;
  }

  /// Whether it begins as `2026-01-31` and goes on with no digit.
  private static boolean isDate(String path, int from, int to) {
    if (to - from < DATE_LENGTH || path.charAt(from + 4) != '-' || path.charAt(from + 7) != '-') {
      return false;
    }
    for (int i = 0; i < DATE_LENGTH; i++) {
      if (i != 4 && i != 7 && !isDigit(path.charAt(from + i))) {
        return false;
      }
    }
    int month = 10 * (path.charAt(from + 5) - '0') + path.charAt(from + 6) - '0';
    int day = 10 * (path.charAt(from + 8) - '0') + path.charAt(from + 9) - '0';
    return month >= 1
        && month <= 12
        && day >= 1
        && day <= 31
        && (to - from == DATE_LENGTH
            || path.charAt(from + DATE_LENGTH) == 'T'
            || path.charAt(from + DATE_LENGTH) == '_');
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }
}
