package io.headspan.storage.embedded;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/// Walks over the tokens of a ClickHouse statement, comments and spaces left out, without copying
/// it. It knows as much of the language as is needed to find clauses: strings, quoted names,
/// comments, heredocs, words and single characters.
final class SqlTokens {
  /// What a token is.
  enum Kind {
    /// A name or keyword without quotes.
    WORD,
    /// A name in backticks or double quotes.
    QUOTED_NAME,
    /// A string literal or heredoc.
    STRING,
    /// Anything that begins with a digit.
    NUMBER,
    /// Any other single character.
    SYMBOL,
    /// After the last token.
    END
  }

  private final byte[] sql;
  private final int length;
  private int position;
  private int start;
  private Kind kind = Kind.SYMBOL;

  SqlTokens(byte[] sql, int length) {
    this.sql = sql;
    this.length = length;
  }

  /// Moves to the next token and returns what it is.
  Kind next() {
    skipSpaceAndComments();
    start = position;
    if (position >= length) {
      kind = Kind.END;
      return kind;
    }
    byte c = sql[position];
    if (isWordStart(c)) {
      skipWord();
      kind = Kind.WORD;
    } else if (c >= '0' && c <= '9') {
      skipWord();
      kind = Kind.NUMBER;
    } else if (c == '\'') {
      skipQuoted(c);
      kind = Kind.STRING;
    } else if (c == '`' || c == '"') {
      skipQuoted(c);
      kind = Kind.QUOTED_NAME;
    } else if (c == '$' && skipHeredoc()) {
      kind = Kind.STRING;
    } else {
      position++;
      kind = Kind.SYMBOL;
    }
    return kind;
  }

  Kind kind() {
    return kind;
  }

  /// Index of the token's first byte.
  int start() {
    return start;
  }

  /// Index after the token's last byte.
  int end() {
    return position;
  }

  /// The token's text; a quoted name without its quotes.
  String text() {
    int from = start;
    int to = position;
    if (kind == Kind.QUOTED_NAME && to - from >= 2) {
      from++;
      to--;
    }
    return new String(sql, from, to - from, StandardCharsets.UTF_8);
  }

  /// The token's text in upper case if it is a word, else "".
  String keyword() {
    return kind == Kind.WORD ? text().toUpperCase(Locale.ROOT) : "";
  }

  boolean isSymbol(char c) {
    return kind == Kind.SYMBOL && sql[start] == c;
  }

  private void skipSpaceAndComments() {
    while (position < length) {
      byte c = sql[position];
      if (c == ' ' || (c >= '\t' && c <= '\r')) {
        position++;
      } else if (c == '-' && at(position + 1) == '-') {
        skipLine();
      } else if (c == '#' && (at(position + 1) == ' ' || at(position + 1) == '!')) {
        skipLine();
      } else if (c == '/' && at(position + 1) == '*') {
        skipBlockComment();
      } else {
        return;
      }
    }
  }

  private void skipLine() {
    while (position < length && sql[position] != '\n') {
      position++;
    }
  }

  private void skipBlockComment() {
    position += 2;
    while (position < length && !(sql[position] == '*' && at(position + 1) == '/')) {
      position++;
    }
    position = Math.min(length, position + 2);
  }

  private void skipWord() {
    while (position < length && (isWordStart(sql[position]) || isDigit(sql[position]))) {
      position++;
    }
  }

  /// Over a quoted text: a backslash takes the next byte along, a doubled quote is part of it.
  private void skipQuoted(byte quote) {
    position++;
    while (position < length) {
      byte c = sql[position++];
      if (c == '\\') {
        position = Math.min(length, position + 1);
      } else if (c == quote) {
        if (at(position) != quote) {
          return;
        }
        position++;
      }
    }
  }

  /// Over `$tag$ … $tag$`; false, and no move, if it is none.
  private boolean skipHeredoc() {
    int tagEnd = position + 1;
    while (tagEnd < length && (isWordStart(sql[tagEnd]) || isDigit(sql[tagEnd]))) {
      tagEnd++;
    }
    if (at(tagEnd) != '$') {
      return false;
    }
    int tagLength = tagEnd + 1 - position;
    for (int i = tagEnd + 1; i + tagLength <= length; i++) {
      if (java.util.Arrays.equals(sql, position, position + tagLength, sql, i, i + tagLength)) {
        position = i + tagLength;
        return true;
      }
    }
    return false;
  }

  private byte at(int index) {
    return index < length ? sql[index] : 0;
  }

  private static boolean isWordStart(byte c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c < 0;
  }

  private static boolean isDigit(byte c) {
    return c >= '0' && c <= '9';
  }
}
