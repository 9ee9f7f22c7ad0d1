package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

final class SqlParameterTest {
  @Test
  void escapesTextAsTabSeparated() {
    assertThat(SqlParameter.format("a\tb\nc\\d'e")).isEqualTo("a\\tb\\nc\\\\d'e");
  }

  @Test
  void writesArraysAsLiterals() {
    assertThat(SqlParameter.format(List.of("it's", "b\\"))).isEqualTo("['it\\'s','b\\\\']");
    assertThat(SqlParameter.format(List.of(1, 2L))).isEqualTo("[1,2]");
    assertThat(SqlParameter.format(List.of())).isEqualTo("[]");
    assertThat(SqlParameter.format(List.of(List.of("a"), List.of()))).isEqualTo("[['a'],[]]");
  }

  @Test
  void writesNumbersAndFlags() {
    assertThat(SqlParameter.format(1.5)).isEqualTo("1.5");
    assertThat(SqlParameter.format(true)).isEqualTo("1");
  }

  @Test
  void refusesOtherTypes() {
    assertThatThrownBy(() -> SqlQuery.of("SELECT 1").bind("x", new Object()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("parameter=x");
  }
}
