package io.headspan.query.traceql;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GoDurationTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0s",
    "1, 1ns",
    "271330, 271.33µs",
    "3941996, 3.941996ms",
    "1003232777, 1.003232777s",
    "60000000000, 1m0s",
    "60500000000, 1m0.5s",
    "5400000000000, 1h30m0s",
    "-1500000000, -1.5s",
    "9223372036854775807, 2562047h47m16.854775807s"
  })
  void formatsAsGoDoes(long ns, String text) {
    assertThat(GoDuration.format(ns)).isEqualTo(text);
    assertThat(GoDuration.parse(text)).contains(ns);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "ms", "1x", "1..5s", "1h 5m", "99999999999999h", "s5"})
  void refusesWhatIsNoDuration(String text) {
    assertThat(GoDuration.parse(text)).isEmpty();
  }
}
