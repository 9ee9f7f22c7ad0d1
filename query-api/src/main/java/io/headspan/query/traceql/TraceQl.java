package io.headspan.query.traceql;

import java.util.ArrayList;
import java.util.List;
import org.antlr.v4.runtime.CharStreams;
import org.antlr.v4.runtime.CommonTokenStream;
import org.antlr.v4.runtime.Token;

/// Reads TraceQL. Any text gives a query or a [TraceQlException] in bounded time and memory.
public final class TraceQl {
  /// Longest query, in characters.
  public static final int MAX_CHARACTERS = 64 * 1024;

  /// Most tokens of a query.
  static final int MAX_TOKENS = 8_192;

  /// Deepest nesting, of brackets and of the tree: recursion is bounded by it here and in
  /// ClickHouse, whose parser allows 1,000 levels of its own.
  static final int MAX_DEPTH = 100;

  /// Most stages of a query, and most fields of a `by(...)` behind a metrics function: each makes
  /// the statement deeper or wider.
  static final int MAX_STAGES = 32;

  static final int MAX_KEYS = 32;

  /// Longest statement that a query may become. ClickHouse needs seconds to analyse longer ones,
  /// and refuses more than 256 KiB.
  static final int MAX_STATEMENT = 240_000;

  /// Most conditions that are taken from a half-typed query.
  private static final int MAX_CONDITIONS = 32;

  private TraceQl() {}

  /// The query, checked for types.
  ///
  /// @throws TraceQlException if `text` is not TraceQL, of wrong types or too large
  public static Query parse(String text) {
    if (text.length() > MAX_CHARACTERS) {
      throw TraceQlException.tooLarge(
          "characters=" + text.length() + ", allowed=" + MAX_CHARACTERS);
    }
    SyntaxErrors errors = new SyntaxErrors();
    TraceQlLexer lexer = new TraceQlLexer(CharStreams.fromString(text));
    lexer.removeErrorListeners();
    lexer.addErrorListener(errors);
    CommonTokenStream tokens = new CommonTokenStream(lexer);
    tokens.fill();
    checkSize(tokens);
    TraceQlParser parser = new TraceQlParser(tokens);
    parser.removeErrorListeners();
    parser.addErrorListener(errors);
    return new QueryBuilder().query(parser.query());
  }

  /// One attribute or intrinsic, as tag endpoints name it.
  ///
  /// @throws TraceQlException if `text` is anything else
  public static FieldExpression parseField(String text) {
    Query query = parse("{ " + text + " != nil }");
    if (query.pipeline().stages().size() == 1
        && query.pipeline().stages().getFirst()
            instanceof SpansetExpression.Filter(_, FieldExpression.Compare compare)
        && (compare.left() instanceof FieldExpression.Attribute
            || compare.left() instanceof FieldExpression.Field)) {
      return compare.left();
    }
    throw TraceQlException.invalid(
        new Position(1, 1), "expected one attribute or intrinsic, found " + text);
  }

  /// The conditions that a half-typed query already says: every `field operator value` in it, to be
  /// taken together. Never fails; what cannot be understood is left out.
  public static List<FieldExpression> completeConditions(String text) {
    String bounded = text.substring(0, Math.min(text.length(), MAX_CHARACTERS));
    TraceQlLexer lexer = new TraceQlLexer(CharStreams.fromString(bounded));
    lexer.removeErrorListeners();
    List<? extends Token> tokens = lexer.getAllTokens();
    List<FieldExpression> conditions = new ArrayList<>();
    for (int i = 0; i + 2 < tokens.size() && conditions.size() < MAX_CONDITIONS; i++) {
      String comparison =
          tokens.get(i).getText()
              + " "
              + tokens.get(i + 1).getText()
              + " "
              + tokens.get(i + 2).getText();
      try {
        if (parse("{ " + comparison + " }").pipeline().stages().getFirst()
                instanceof SpansetExpression.Filter(_, FieldExpression.Compare compare)
            && compare.right() instanceof FieldExpression.Literal) {
          conditions.add(compare);
        }
      } catch (TraceQlException _) {
        // Not a complete condition; the next token may begin one.
      }
    }
    return conditions;
  }

  /// `text` as a string of the language, in quotes.
  public static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    text.codePoints()
        .forEach(c -> {
          if (c == '"' || c == '\\') {
            quoted.append('\\').appendCodePoint(c);
          } else if (c < ' ') {
            quoted.append("\\x%02x".formatted(c));
          } else {
            quoted.appendCodePoint(c);
          }
        });
    return quoted.append('"').toString();
  }

  /// Refuses what would make the parser recurse too deeply. A chain of `-` or `!` may be unary, so
  /// each sign of a run counts as a level; so does every `^`, which groups to the right.
  private static void checkSize(CommonTokenStream tokens) {
    int brackets = 0;
    int powers = 0;
    int run = 0;
    for (Token token : tokens.getTokens()) {
      switch (token.getType()) {
        case TraceQlLexer.OPEN_BRACE, TraceQlLexer.OPEN_PAREN -> brackets++;
        case TraceQlLexer.CLOSE_BRACE, TraceQlLexer.CLOSE_PAREN -> brackets--;
        case TraceQlLexer.POW -> powers++;
        default -> {}
      }
      boolean sign = token.getType() == TraceQlLexer.SUB || token.getType() == TraceQlLexer.NOT;
      run = sign ? run + 1 : 0;
      if (brackets + powers + run > MAX_DEPTH) {
        throw tooDeep(position(token));
      }
    }
    if (tokens.size() > MAX_TOKENS) {
      throw TraceQlException.tooLarge("tokens=" + tokens.size() + ", allowed=" + MAX_TOKENS);
    }
  }

  /// `sql`, if it is not too long.
  static String checkedStatement(String sql) {
    if (sql.length() > MAX_STATEMENT) {
      throw TraceQlException.tooLarge(
          "characters of SQL="
              + sql.length()
              + ", allowed="
              + MAX_STATEMENT
              + "; use fewer fields and operators");
    }
    return sql;
  }

  static TraceQlException tooDeep(Position at) {
    return TraceQlException.tooLarge(at + ": nested more than " + MAX_DEPTH + " levels deep");
  }

  static Position position(Token token) {
    return new Position(token.getLine(), token.getCharPositionInLine() + 1);
  }
}
