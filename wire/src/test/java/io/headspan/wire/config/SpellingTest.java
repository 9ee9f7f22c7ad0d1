package io.headspan.wire.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpellingTest {
  @Test
  void countsInsertionsDeletionsReplacementsAndSwaps() {
    assertThat(Spelling.distance("", "ab")).isEqualTo(2);
    assertThat(Spelling.distance("listen", "listen")).isZero();
    assertThat(Spelling.distance("lsiten", "listen")).isEqualTo(1);
    assertThat(Spelling.distance("listn", "listen")).isEqualTo(1);
    assertThat(Spelling.distance("listens", "listen")).isEqualTo(1);
    assertThat(Spelling.distance("kitten", "sitting")).isEqualTo(3);
  }

  @Test
  void findsOnlyWhatIsNear() {
    List<String> known = List.of("listen", "collector", "batch_age");
    assertThat(Spelling.nearest("lisen", known)).contains("listen");
    assertThat(Spelling.nearest("batchage", known)).contains("batch_age");
    assertThat(Spelling.nearest("something", known)).isEmpty();
  }
}
