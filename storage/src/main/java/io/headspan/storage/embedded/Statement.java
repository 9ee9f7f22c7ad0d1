package io.headspan.storage.embedded;

import java.util.Arrays;
import java.util.Optional;
import java.util.Set;

/// What a gateway needs to know of a statement before it runs it.
sealed interface Statement {
  /// Anything but an INSERT with data.
  ///
  /// @param select whether it is a SELECT, whose result can come in chunks
  /// @param format the name after FORMAT, if it has that clause
  /// @param stateless whether it leaves the session as it was, so that another request can have it
  record Query(boolean select, Optional<String> format, boolean stateless) implements Statement {}

  /// A table as a statement names it, without quotes.
  ///
  /// @param database "" if it names none
  record Table(String database, String name) {}

  /// An INSERT whose data follow it.
  ///
  /// @param head the statement up to FORMAT or VALUES
  /// @param table where the rows go
  /// @param format the name after FORMAT; `Values` after VALUES; none if it has neither
  /// @param dataStart index of the data's first byte in the text
  record Insert(byte[] head, Table table, Optional<String> format, int dataStart)
      implements Statement {}

  Set<String> SELECT_WORDS = Set.of("SELECT", "WITH", "FROM");
  Set<String> STATELESS_WORDS = Set.of("SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS");

  /// Reads the first `length` bytes of `sql`, which hold the statement up to its data.
  static Statement parse(byte[] sql, int length) {
    SqlTokens tokens = new SqlTokens(sql, length);
    tokens.next();
    if (tokens.keyword().equals("INSERT")) {
      Optional<Statement> insert = parseInsert(sql, length, tokens);
      if (insert.isPresent()) {
        return insert.get();
      }
      return new Query(false, Optional.empty(), true);
    }
    boolean select = SELECT_WORDS.contains(tokens.keyword()) || tokens.isSymbol('(');
    boolean stateless = select || STATELESS_WORDS.contains(tokens.keyword());
    return new Query(select, lastFormat(tokens), stateless);
  }

  /// The name after the last FORMAT outside parentheses, if nothing but SETTINGS follows.
  private static Optional<String> lastFormat(SqlTokens tokens) {
    Optional<String> format = Optional.empty();
    int depth = 0;
    boolean afterFormat = false;
    do {
      if (tokens.isSymbol('(')) {
        depth++;
      } else if (tokens.isSymbol(')')) {
        depth--;
      }
      if (afterFormat && tokens.kind() == SqlTokens.Kind.WORD) {
        format = Optional.of(tokens.text());
      }
      afterFormat = depth == 0 && tokens.keyword().equals("FORMAT");
    } while (tokens.next() != SqlTokens.Kind.END);
    return format;
  }

  /// Empty if the INSERT takes its rows from a SELECT, or is not whole.
  private static Optional<Statement> parseInsert(byte[] sql, int length, SqlTokens tokens) {
    tokens.next();
    if (tokens.keyword().equals("INTO")) {
      tokens.next();
    }
    if (tokens.keyword().equals("TABLE")) {
      tokens.next();
    } else if (tokens.keyword().equals("FUNCTION")) {
      return Optional.empty();
    }
    // The table's name, which may be any word.
    Table table = new Table("", tokens.text());
    while (tokens.next() != SqlTokens.Kind.END && tokens.isSymbol('.')) {
      tokens.next();
      table = new Table(table.name, tokens.text());
    }
    int depth = 0;
    while (tokens.kind() != SqlTokens.Kind.END) {
      if (tokens.isSymbol('(')) {
        depth++;
      } else if (tokens.isSymbol(')')) {
        depth--;
      } else if (depth == 0) {
        switch (tokens.keyword()) {
          case "SELECT", "WITH", "FROM", "WATCH" -> {
            return Optional.empty();
          }
          case "VALUES" -> {
            return Optional.of(
                new Insert(
                    Arrays.copyOf(sql, tokens.start()),
                    table,
                    Optional.of("Values"),
                    tokens.end()));
          }
          case "FORMAT" -> {
            byte[] head = Arrays.copyOf(sql, tokens.start());
            tokens.next();
            return Optional.of(
                new Insert(
                    head, table, Optional.of(tokens.text()), dataStart(sql, length, tokens.end())));
          }
          default -> {}
        }
      }
      tokens.next();
    }
    return Optional.of(new Insert(Arrays.copyOf(sql, length), table, Optional.empty(), length));
  }

  /// ClickHouse skips blanks after the format's name, and one line end.
  private static int dataStart(byte[] sql, int length, int afterFormat) {
    int i = afterFormat;
    while (i < length && (sql[i] == ' ' || sql[i] == '\t' || sql[i] == '\f')) {
      i++;
    }
    if (i < length && sql[i] == ';') {
      i++;
    }
    if (i < length && sql[i] == '\r') {
      i++;
    }
    if (i < length && sql[i] == '\n') {
      i++;
    }
    return i;
  }
}
