package io.headspan.wasm.module;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class SignatureTest {
  @Test
  void readsLetters() {
    Signature signature = Signature.of("ilfd>l");
    assertThat(signature.parameters())
        .containsExactly(ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64);
    assertThat(signature.results()).containsExactly(ValueType.I64);
    assertThat(Signature.of(">")).isEqualTo(new Signature(List.of(), List.of()));
  }

  @Test
  void refusesOtherLetters() {
    assertThatThrownBy(() -> Signature.of("ix>")).hasMessageContaining("letter=x");
    assertThatThrownBy(() -> Signature.of("ii")).hasMessageContaining("no '>'");
  }
}
