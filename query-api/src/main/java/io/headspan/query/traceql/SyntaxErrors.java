package io.headspan.query.traceql;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.antlr.v4.runtime.BaseErrorListener;
import org.antlr.v4.runtime.Parser;
import org.antlr.v4.runtime.RecognitionException;
import org.antlr.v4.runtime.Recognizer;
import org.antlr.v4.runtime.Token;
import org.antlr.v4.runtime.misc.IntervalSet;
import org.jspecify.annotations.Nullable;

/// Ends parsing at the first error, with a message in the language's own words.
final class SyntaxErrors extends BaseErrorListener {
  private static final Set<Integer> COMPARISONS =
      Set.of(
          TraceQlLexer.EQ,
          TraceQlLexer.NEQ,
          TraceQlLexer.LT,
          TraceQlLexer.LTE,
          TraceQlLexer.GT,
          TraceQlLexer.GTE,
          TraceQlLexer.MATCH,
          TraceQlLexer.NOT_MATCH);
  private static final Set<Integer> VALUES =
      Set.of(
          TraceQlLexer.STRING,
          TraceQlLexer.RAW_STRING,
          TraceQlLexer.INTEGER,
          TraceQlLexer.FLOAT,
          TraceQlLexer.DURATION);

  @Override
  public void syntaxError(
      @Nullable Recognizer<?, ?> recognizer,
      @Nullable Object offendingSymbol,
      int line,
      int column,
      @Nullable String message,
      @Nullable RecognitionException cause) {
    Position at = new Position(line, column + 1);
    if (!(offendingSymbol instanceof Token token)) {
      throw TraceQlException.invalid(at, "unreadable text");
    }
    boolean readable =
        token.getType() != TraceQlLexer.UNTERMINATED_STRING
            && token.getType() != TraceQlLexer.UNKNOWN;
    throw TraceQlException.invalid(
        at, describe(token) + (readable ? expected(recognizer, cause) : ""));
  }

  private static String describe(Token token) {
    return switch (token.getType()) {
      case Token.EOF -> "unexpected end of the query";
      case TraceQlLexer.UNTERMINATED_STRING -> "string without its closing quote";
      case TraceQlLexer.UNKNOWN ->
          token.getText().equals("'")
              ? "unexpected ': strings are written in double quotes or back quotes"
              : "unexpected character " + token.getText();
      default -> "unexpected " + token.getText();
    };
  }

  private static String expected(
      @Nullable Recognizer<?, ?> recognizer, @Nullable RecognitionException cause) {
    IntervalSet tokens =
        cause != null && cause.getExpectedTokens() != null
            ? cause.getExpectedTokens()
            : recognizer instanceof Parser parser ? parser.getExpectedTokens() : null;
    if (tokens == null) {
      return "";
    }
    List<String> words = new ArrayList<>();
    boolean comparison = false;
    boolean arithmetic = false;
    boolean structural = false;
    boolean value = false;
    for (int type : tokens.toArray()) {
      switch (type) {
        case Token.EOF -> words.add("end of query");
        case TraceQlLexer.OPEN_BRACE -> words.add("{");
        case TraceQlLexer.CLOSE_BRACE -> words.add("}");
        case TraceQlLexer.OPEN_PAREN -> words.add("(");
        case TraceQlLexer.CLOSE_PAREN -> words.add(")");
        case TraceQlLexer.COMMA -> words.add("comma");
        case TraceQlLexer.AND -> words.add("&&");
        case TraceQlLexer.OR -> words.add("||");
        case TraceQlLexer.PIPE -> words.add("|");
        case TraceQlLexer.NOT -> words.add("!");
        case TraceQlLexer.BY -> words.add("by");
        case TraceQlLexer.WITH -> words.add("with");
        case TraceQlLexer.ATTRIBUTE -> words.add("attribute");
        case TraceQlLexer.IDENTIFIER -> words.add("name");
        case TraceQlLexer.SCOPED_INTRINSIC -> {}
        case TraceQlLexer.ADD,
            TraceQlLexer.SUB,
            TraceQlLexer.MUL,
            TraceQlLexer.DIV,
            TraceQlLexer.MOD,
            TraceQlLexer.POW ->
            arithmetic = true;
        default -> {
          comparison |= COMPARISONS.contains(type);
          value |= VALUES.contains(type);
          structural |= !COMPARISONS.contains(type) && !VALUES.contains(type);
        }
      }
    }
    if (value) {
      words.add("value");
    } else if (arithmetic) {
      words.add("arithmetic operator");
    }
    if (comparison) {
      words.add("comparison");
    }
    if (structural) {
      words.add("structural operator");
    }
    return words.isEmpty() ? "" : ", expected " + String.join(" or ", words);
  }
}
