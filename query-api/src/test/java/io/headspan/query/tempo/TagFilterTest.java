package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.TraceQl;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TagFilterTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          a=b	{ (."a" = "b") }
          a=5 b=1.5 c=true	{ (."a" = "5" || ."a" = 5) && (."b" = "1.5" || ."b" = 1.5) && (."c" = "true" || ."c" = true) }
          a="x y \\" z" name=n	{ (."a" = "x y \\" z") && name = "n" }
          error=false	{ !(status = error || .error = true) }
          status.code=ok root.name=r root.service.name=s	{ status = ok && rootName = "r" && rootServiceName = "s" }
          a=	{ (."a" = "") }
          """)
  void becomesTraceQl(String tags, String query) {
    assertThat(TagFilter.toTraceQl(tags)).isEqualTo(query);
    assertThat(TraceQl.parse(query).isMetrics()).isFalse();
  }

  @Test
  void emptyTagsMeanAllSpans() {
    assertThat(TagFilter.toTraceQl("")).isEqualTo("{  }");
    assertThat(
            TagFilter.durationStages(
                Optional.of(Duration.ofMillis(5)), Optional.of(Duration.ofSeconds(1))))
        .isEqualTo(" | { traceDuration >= 5000000ns } | { traceDuration <= 1000000000ns }");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "a=b c", "=b", "a=\"b", "a=b\"c\"", "status.code=bad"})
  void refusesWhatIsNotLogfmt(String tags) {
    assertThatThrownBy(() -> TagFilter.toTraceQl(tags)).isInstanceOf(RequestException.class);
  }
}
