package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CapturedStateTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ''                       | ''
          ot=th:8                  | ''
          ot=rv:ab;th:c            | ot=rv:ab
          v=1, ot=th:c;rv:ab ,w=2  | v=1,ot=rv:ab,w=2
          v=1,ot=th:8              | v=1
          vendor=th:8              | vendor=th:8
          ot=rv:ab                 | ot=rv:ab
          """)
  void takesTheThresholdOut(String state, String captured) {
    assertThat(CapturedState.of(state)).isEqualTo(captured);
  }
}
