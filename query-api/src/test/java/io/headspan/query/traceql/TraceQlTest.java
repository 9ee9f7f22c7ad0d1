package io.headspan.query.traceql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TraceQlTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          {}	{true}
          { .a = 1 }	{(.a = 1)}
          { .a || .b && .c }	{((.a || .b) && .c)}
          { .a && .b && .c || .d }	{((.a && .b && .c) || .d)}
          { !.a && .b }	{((!.a) && .b)}
          { !(status = error) && kind = server }	{((!(status = error)) && (kind = server))}
          { .a + 2 * 3 ^ 2 ^ 1 = -.b }	{((.a + (2 * (3 ^ (2 ^ 1)))) = (-.b))}
          { -.a ^ 2 > 1 - 1 - 1 }	{(((-.a) ^ 2) > ((1 - 1) - 1))}
          { .a * 2 % 3 / 4 = 1 }	{((((.a * 2) % 3) / 4) = 1)}
          { 100ms < duration }	{(100ms < duration)}
          { duration > 1h30m && duration < 1.5s }	{((duration > 1h30m0s) && (duration < 1.5s))}
          { span:duration > 1d }	{(duration > 24h0m0s)}
          { name =~ `a\\d` }	{(name =~ `a\\d`)}
          { .x = "a\\"\\\\\\x41\\u00e9" }	{(.x = `a"\\Aé`)}
          { span."a b"."c\\"d" != nil }	{(span."a b.c\\"d" != nil)}
          { span.a-b/c:d.e+f = 5 }	{(span.a-b/c:d.e+f = 5)}
          { parent.span.x = parent.y }	{(parent.span.x = parent.y)}
          { resource.service.name="x"&&event:name="y"||link:spanID="z" }	{(((resource.service.name = `x`) && (event:name = `y`)) || (link:spanID = `z`))}
          { .a = minInt || .a = -9223372036854775808 }	{((.a = -9223372036854775808) || (.a = -9223372036854775808))}
          {} // comment	{true}
          { /* all */ }	{true}
          {.a} && {.b} || {.c}	(({.a} && {.b}) || {.c})
          {.a} || {.b} > {.c} >> {.d}	({.a} || (({.b} > {.c}) >> {.d}))
          {.a} !~ {.b} ~ {.c}	(({.a} !~ {.b}) ~ {.c})
          {.a}!>{.b} && {.c}&<<{.d}	(({.a} !> {.b}) && ({.c} &<< {.d}))
          ({.a} | count() > 1) && ({.b})	(({.a} | (count() > 1)) && {.b})
          {} | by(.a) | count() >= 2 | coalesce()	{true} | by(.a) | (count() >= 2) | coalesce()
          {} | avg(duration) + 1 > max(.a) * 2	{true} | ((avg(duration) + 1) > (max(.a) * 2))
          {} | select(.a, status) | {.b}	{true} | select(.a, status) | {.b}
          ({} | count()) > ({.a} | count())	(({true} | count()) > ({.a} | count()))
          {} | rate() by (.a, .b) | topk(3)	{true} | rate() by(.a, .b) | topk(3)
          {} | quantile_over_time(duration, .5, 1) > 0.5	{true} | (quantile_over_time(duration, 0.5, 1.0) > 0.5)
          {} | compare({status = error}, 10, 1, 2)	{true} | compare({(status = error)}, 10, 1, 2)
          {} | count() > 7 / 2 * 2	{true} | (count() > 6)
          {} | avg(.a) > 1 - 3.5	{true} | (avg(.a) > -2.5)
          ({} | rate()) > 1 / 2	(({true} | rate()) > 0.0)
          ({} | rate()) * 2 + ({.a} | rate()) | topk(2) > 5	((({true} | rate()) * 2.0) + ({.a} | rate())) | (topk(2) > 5.0)
          ({} | rate()) / ({.a} | rate()) * 100	((({true} | rate()) / ({.a} | rate())) * 100.0)
          {} | rate() with(exemplars=false, sample=0.5, x=-1)	{true} | rate()
          """)
  void groupsByPrecedence(String query, String expected) {
    assertThat(Brackets.of(TraceQl.parse(query))).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          {	1, column 2	unexpected end of the query
          { name = "x"	1, column 13	unexpected end of the query, expected
          { name ==  "x" }	1, column 9	unexpected =
          { status > error }	1, column 10	> cannot order a status
          { status = 5 }	1, column 10	two values of one type, and these are a status and a number
          { name = 5 }	1, column 8	a string and a number
          { duration }	1, column 3	a spanset filter needs a boolean, and this is a number
          { name =~ "(" }	1, column 11	not a regular expression
          { name =~ "(?=a)" }	1, column 11	not a regular expression
          { name =~ .x }	1, column 11	must be a string in quotes
          { duration =~ "x" }	1, column 12	=~ needs a string, and this is a number
          { name = "x" } |	1, column 17	unexpected end of the query
          { name = "x" } | avg(name) > 1	1, column 22	needs a number, and this is a string
          { name = "x" } | avg(1) > 1	1, column 22	needs a field of the span
          { name = "x" } | by()	1, column 18	by() takes one argument, given=0
          { name = "x" } | nosuch()	1, column 18	unknown function nosuch, expected one of by, coalesce
          { name = "x" } | rate() | count() > 1	1, column 35	only topk(n) or bottomk(n) may follow
          { name = 'x' }	1, column 10	strings are written in double quotes
          { name = "x }	1, column 10	string without its closing quote
          { nosuchintrinsic = 1 }	1, column 3	unknown name nosuchintrinsic, expected an attribute such as span.nosuchintrinsic
          { true && }	1, column 11	unexpected }
          { true && 5 }	1, column 11	&& needs a boolean
          { !5 }	1, column 4	! needs a boolean
          { 1 + "a" = 2 }	1, column 7	+ needs a number
          { -"a" = 2 }	1, column 4	- needs a number
          { .a = 99999999999999999999 }	1, column 8	integer out of range
          { .a = 300000h300000h300000h300000h300000h300000h300000h300000h300000h }	1, column 8	duration out of range
          { .a = "\\d" }	1, column 8	unknown escape \\d
          { .a > nil }	1, column 6	> cannot order nil
          {} | count()	1, column 6	an aggregate needs a comparison
          {} | count() > 1 && {}	1, column 18	&& joins spansets
          {} | count() > "a"	1, column 14	compares with a number, and this is a string
          {} + {}	1, column 4	+ cannot join a spanset and a spanset
          {} =~ {}	1, column 4	unexpected =~
          {} | rate(duration)	1, column 6	rate() takes no argument, given=1
          {} | quantile_over_time(duration)	1, column 6	at least one quantile
          {} | quantile_over_time(duration, 2)	1, column 35	from 0 to 1
          {} | rate() by ()	1, column 13	by() needs at least one field
          {} | topk(2)	1, column 6	after a metrics function
          {} | rate() | topk(0)	1, column 20	greater than 0
          coalesce() | {}	1, column 1	coalesce() stands after by()
          ({} | rate()) % 2	1, column 15	% cannot join series
          {} | rate() + 5	1, column 6	in parentheses
          ({} | rate()) * 10s	1, column 17	needs a number, and this is a duration
          {} | compare({.a}) | topk(2)	1, column 22	nothing may follow compare()
          ({} | compare({.a})) / ({} | rate())	1, column 1	nothing may follow compare()
          {} | compare({.a}, 2, 1)	1, column 6	needs an end too
          {} | rate() by (1 + .a)	1, column 19	attributes and intrinsics only
          {} | avg_over_time(2)	1, column 20	attributes and intrinsics only
          {} | count() > 1 / 0	1, column 18	division by zero
          { name = nil }	1, column 8	= nil asks for attributes
          { nil = resource.service.name }	1, column 7	= nil asks for attributes
          {} | count() by (.a) > 2	1, column 14	only metrics functions take it
          {} | select(1 + .a)	1, column 15	attributes and intrinsics only
          { span. = 1 }	1, column 7	unexpected character .
          # {}	1, column 1	unexpected character #
          """)
  void saysWhereAndWhatIsWrong(String query, String place, String problem) {
    assertThatThrownBy(() -> TraceQl.parse(query))
        .isInstanceOf(TraceQlException.class)
        .hasMessageContaining("line " + place + ":")
        .hasMessageContaining(problem);
  }

  @Test
  void countsLines() {
    assertThatThrownBy(() -> TraceQl.parse("{\n  name = \n  5 }"))
        .hasMessageContaining("line 2, column 8");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(",
        "{",
        "!",
        "-",
        "({} && ",
        "{(",
        "{ 2 ^ ",
        "{ ! - ",
        "({} | count() > (",
        "{ .a = ("
      })
  void refusesDeepNesting(String opening) {
    String query =
        (opening.startsWith("(") || opening.startsWith("{") ? "" : "{ ") + opening.repeat(10_000);
    assertThatThrownBy(() -> TraceQl.parse(query))
        .isInstanceOfSatisfying(
            TraceQlException.class,
            e -> assertThat(e.kind()).isEqualTo(TraceQlException.Kind.TOO_LARGE));
  }

  @Test
  void refusesChainsThatLeanTooFar() {
    String mixed = "{ .a " + "|| .a && .a ".repeat(1_000) + "}";
    assertThatThrownBy(() -> TraceQl.parse(mixed)).hasMessageContaining("nested more than 100");
    String sum = "{ 1" + " + 1".repeat(3_000) + " = 1 }";
    assertThatThrownBy(() -> TraceQl.parse(sum)).hasMessageContaining("nested more than 100");
  }

  @Test
  void takesLongFlatChains() {
    String terms = "{ " + "name = `x` || ".repeat(1_500) + "true }";
    assertThat(TraceQl.parse(terms).isMetrics()).isFalse();
  }

  @Test
  void refusesLongQueries() {
    assertThatThrownBy(() -> TraceQl.parse("{ name = `" + "x".repeat(100_000) + "` }"))
        .hasMessageContaining("characters=100013, allowed=65536");
    assertThatThrownBy(() -> TraceQl.parse("{}" + "&&{}".repeat(9_000)))
        .hasMessageContaining("tokens=27003, allowed=8192");
  }

  @Test
  void survivesAnyText() {
    Random random = new Random(7);
    String[] pieces = {
      "{",
      "}",
      "(",
      ")",
      "&&",
      "||",
      "|",
      "!",
      "-",
      "^",
      "*",
      ">",
      ">>",
      "!>",
      "&~",
      "=",
      "=~",
      "count()",
      "by(",
      "rate()",
      ".a",
      "span.\"x",
      "\"",
      "`",
      "1",
      ".5",
      "1h",
      "nil",
      "status",
      "error",
      " ",
      "\n",
      "\\",
      "'",
      "é",
      "\u0000",
      "😀",
      "with(",
      ",",
      "//",
      "/*",
      "parent."
    };
    for (int i = 0; i < 20_000; i++) {
      String query =
          random
              .ints(random.nextInt(1, 25), 0, pieces.length)
              .mapToObj(piece -> pieces[piece])
              .collect(Collectors.joining());
      try {
        TraceQl.parse(query);
      } catch (TraceQlException e) {
        assertThat(e).hasMessageContaining("TraceQL query");
      }
    }
  }
}
