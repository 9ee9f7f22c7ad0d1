package io.headspan.query.traceql;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.antlr.v4.runtime.CharStreams;
import org.antlr.v4.runtime.Token;
import org.junit.jupiter.api.Test;

/// Every word and sign of the language stands in a query of the table in docs/traceql.md, which
/// ConformanceIT runs: nothing is only mentioned.
class ConformanceTableTest {
  private static final Path TABLE = Path.of("..", "docs", "traceql.md");
  private static final Pattern ROW =
      Pattern.compile("^\\| `+ ?(.+?) ?`+ \\| (.*) \\| [0-9].*IT \\|$");

  /// What no query that is right has.
  private static final Set<Integer> NO_PARTS =
      Set.of(
          TraceQlLexer.UNTERMINATED_STRING,
          TraceQlLexer.LINE_COMMENT,
          TraceQlLexer.BLOCK_COMMENT,
          TraceQlLexer.WHITE_SPACE,
          TraceQlLexer.UNKNOWN);

  private final Set<Integer> types = new HashSet<>();
  private final Set<String> texts = new HashSet<>();

  @Test
  void hasAQueryForEachConstruct() throws Exception {
    Set<String> queries = new HashSet<>();
    for (String line : Files.readAllLines(TABLE)) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        assertThat(queries.add(row.group(1))).as(line).isTrue();
        assertThat(row.group(2)).as("meaning of %s", row.group(1)).isNotBlank();
        read(row.group(1).replace("\\|", "|"));
      }
    }
    assertThat(queries).hasSizeGreaterThan(130);
    assertThat(
            IntStream.rangeClosed(1, TraceQlLexer.VOCABULARY.getMaxTokenType())
                .filter(type -> !types.contains(type) && !NO_PARTS.contains(type))
                .mapToObj(TraceQlLexer.VOCABULARY::getDisplayName))
        .isEmpty();
    Set<String> words = new TreeSet<>(Intrinsic.spellings().keySet());
    Stream.of(AggregateFunction.values()).map(AggregateFunction::text).forEach(words::add);
    Stream.of(MetricsFunction.values()).map(MetricsFunction::text).forEach(words::add);
    Stream.<Enum<?>[]>of(SpanStatus.values(), SpanKind.values())
        .flatMap(Arrays::stream)
        .forEach(value -> words.add(value.name().toLowerCase(Locale.ROOT)));
    words.addAll(
        List.of("by", "coalesce", "select", "compare", "topk", "bottomk", "with", "exemplars"));
    words.addAll(List.of("true", "false", "nil", "minInt", "maxInt"));
    words.removeAll(texts);
    assertThat(words).isEmpty();
    for (String scope :
        List.of(".", "span.", "resource.", "event.", "link.", "instrumentation.", "parent.")) {
      assertThat(texts).as(scope).anyMatch(text -> text.startsWith(scope));
    }
  }

  private void read(String query) {
    for (Token token : new TraceQlLexer(CharStreams.fromString(query)).getAllTokens()) {
      types.add(token.getType());
      texts.add(token.getText());
    }
  }
}
