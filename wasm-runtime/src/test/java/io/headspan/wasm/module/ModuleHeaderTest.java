package io.headspan.wasm.module;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ModuleHeaderTest {
  private static final byte[] MODULE =
      new ModuleBuilder().memory(1, 2).customSection("note", new byte[200]).build();

  @Test
  void acceptsAModule() {
    ModuleHeader.check(MODULE);
    ModuleHeader.check(new ModuleBuilder().build());
  }

  @Test
  void saysWhatIsNotWasm() {
    assertRefused(new byte[0], ModuleProblem.NOT_WASM, "sizeBytes=0");
    assertRefused(new byte[] {0, 'a', 's'}, ModuleProblem.NOT_WASM, "sizeBytes=3");
    assertRefused(
        "#!/bin/sh\nexit".getBytes(StandardCharsets.US_ASCII), ModuleProblem.NOT_WASM, "\\0asm");
  }

  @Test
  void saysThatComponentsAreNotSupported() {
    assertRefused(
        new byte[] {0, 'a', 's', 'm', 0x0d, 0, 1, 0},
        ModuleProblem.UNSUPPORTED_VERSION,
        "component");
    assertRefused(
        new byte[] {0, 'a', 's', 'm', 2, 0, 0, 0}, ModuleProblem.UNSUPPORTED_VERSION, "version=2");
  }

  @Test
  void everyCutInsideASectionIsTruncated() {
    for (int length = 4; length < MODULE.length; length++) {
      byte[] cut = Arrays.copyOf(MODULE, length);
      ModuleException refused =
          catchThrowableOfType(ModuleException.class, () -> ModuleHeader.check(cut));
      if (refused != null) {
        assertThat(refused.problem()).isEqualTo(ModuleProblem.TRUNCATED);
        assertThat(refused)
            .hasMessageContaining("cut short")
            .hasMessageContaining("sizeBytes=" + length);
      }
    }
  }

  @Test
  void refusesSectionsThatDoNotExist() {
    byte[] unknown = Arrays.copyOf(MODULE, MODULE.length + 2);
    unknown[MODULE.length] = 14;
    assertRefused(unknown, ModuleProblem.MALFORMED, "id=14, offset=" + MODULE.length);
  }

  @Test
  void refusesASizeThatIsNoNumber() {
    byte[] endless = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, -1, -1, -1, -1, -1, -1, -1};
    assertRefused(endless, ModuleProblem.MALFORMED, "offset=8");
  }

  private static void assertRefused(byte[] binary, ModuleProblem problem, String message) {
    assertThatThrownBy(() -> ModuleHeader.check(binary))
        .isInstanceOfSatisfying(
            ModuleException.class, e -> assertThat(e.problem()).isEqualTo(problem))
        .hasMessageContaining(message);
  }
}
