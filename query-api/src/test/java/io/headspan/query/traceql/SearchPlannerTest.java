package io.headspan.query.traceql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.SqlQuery;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SearchPlannerTest {
  private static final TimeRange RANGE = new TimeRange(1_000_000_000L, 5_000_000_000L);

  private static SearchPlan plan(String query) {
    return SearchPlanner.plan(TraceQl.parse(query), RANGE);
  }

  /// The statement that finds the traces.
  private static String candidates(String query) {
    return candidates(plan(query)).sql();
  }

  private static SqlQuery candidates(SearchPlan plan) {
    return plan.isScan() ? plan.candidates(20) : plan.found(20, 3);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{ name = `it's` }",
        "{ span.`it's` = 1 }",
        "{ resource.\"it's\" =~ `it's` } | by(.\"it's\") | avg(span.\"it's\") > 1.5",
        "{ event.\"it's\" = `it's` } | select(link.\"it's\", instrumentation.\"it's\")",
        "{ span.\"it's\" + 1 = .\"it's\" } >> { trace:id = `it's` }"
      })
  void boundValuesNeverStandInTheText(String query) {
    SearchPlan plan;
    try {
      plan = plan(query);
    } catch (TraceQlException e) {
      assertThat(e).hasMessageContaining("line 1");
      return;
    }
    for (SqlQuery sql :
        List.of(
            candidates(plan),
            plan.details(List.of(new TraceExtent("0".repeat(31) + "1", 0, 0)), 3))) {
      assertThat(sql.sql()).doesNotContain("it's");
      assertThat(sql.parameters().toString()).contains("it's");
    }
  }

  @Test
  void loneFilterReadsInOrderOfTheKey() {
    assertThat(candidates("{ status = error && duration > 1s }"))
        .contains(
            "ORDER BY toStartOfFiveMinutes(time) DESC, time DESC LIMIT 1 BY trace_id LIMIT 20")
        .contains("(status=2)")
        .doesNotContain("GROUP BY");
    assertThat(plan("{ status = error && duration > 1s }").newest(200).sql())
        .endsWith("ORDER BY toStartOfFiveMinutes(time) DESC, time DESC LIMIT 200");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{ name = `a` } || { name = `b` }",
        "{ name = `a` } | { name = `b` }",
        "({ name = `a` }) || ({ name = `b` } || { name = `c` })",
        "{ name = `a` } | select(span.x)"
      })
  void whatIsAboutSingleSpansIsNotGrouped(String query) {
    assertThat(candidates(query)).doesNotContain("GROUP BY");
  }

  @Test
  void equalFiltersShareABit() {
    assertThat(candidates("{ name = `a` } && ({ name = `a` } && { name = `b` })"))
        .contains(" AS b1,")
        .doesNotContain(" AS b2,");
  }

  @Test
  void defaultsOfAbsentAttributesNeedNoPresenceTest() {
    assertThat(candidates("{ span.x > 5 }")).doesNotContain("mapContains(ints");
    assertThat(candidates("{ span.x < 5 }")).contains("mapContains(ints");
    assertThat(candidates("{ span.x = `a` }")).contains("has(value_hashes,cityHash64(");
    assertThat(candidates("{ span.headspan.culprit = `a` }"))
        .contains("has(shown_hashes,cityHash64(");
    assertThat(candidates("{ span.x != `a` }")).contains("has(string_keys,");
    assertThat(candidates("{ resource.service.name = `a` }")).doesNotContain("resources");
    assertThat(candidates("{ resource.service.name != `a` }"))
        .contains("resource_fp IN (SELECT fp");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          { event.a + event.b = 2 }	column 11: arithmetic on two fields that may have several
          """)
  void namesWhatCannotBeRun(String query, String construct) {
    assertThatThrownBy(() -> plan(query))
        .isInstanceOfSatisfying(
            TraceQlException.class,
            e -> assertThat(e.kind()).isEqualTo(TraceQlException.Kind.UNSUPPORTED))
        .hasMessageContaining("not supported yet: line 1, " + construct);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          {} | rate()	column 6: a metrics function makes time series
          {} | compare({status = error})	column 6: a metrics function makes time series
          ({} | rate()) / ({} | rate())	column 15: a metrics function makes time series
          ({} | rate()) && {}	column 15: && joins spansets
          """)
  void refusesMetricsInASearch(String query, String problem) {
    assertThatThrownBy(() -> plan(query))
        .hasMessageContaining("invalid TraceQL query: line 1, " + problem);
  }

  @Test
  void refusesMoreFiltersThanBits() {
    StringBuilder query = new StringBuilder("{ name = `x` }");
    for (int i = 0; i < 64; i++) {
      query.append(" && { name = `").append(i).append("` }");
    }
    assertThatThrownBy(() -> plan(query.toString()))
        .hasMessageContaining("more than 64 different spanset filters");
  }

  @Test
  void sizeOfTheStatementGrowsWithTheQueryOnly() {
    int few = candidates(sum(6)).length();
    int many = candidates(sum(30)).length();
    assertThat(many).isLessThan(few * 5 * 5);
    assertThat(candidates("{} " + "&~ {} ".repeat(60)).length()).isLessThan(200_000);
  }

  private static String sum(int terms) {
    return "{ .a" + " + .a".repeat(terms) + " = 1 }";
  }
}
