package io.headspan.agent.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.access.Secret;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CollectorTokenTest {
  @TempDir private Path directory;

  @Test
  void doesNotTellWhatIsNoToken() throws IOException {
    Path file = Files.writeString(directory.resolve("token"), "hunter 2\n");
    assertThatThrownBy(() -> CollectorToken.inFile(file, _ -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not a token: file=" + file)
        .hasMessageNotContaining("hunter");
    assertThatThrownBy(() -> CollectorToken.of(new Secret("\n")))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> CollectorToken.inFile(directory.resolve("none"), _ -> {}))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("file=" + directory.resolve("none"));
  }

  @Test
  void aSecretIsNotWritten() {
    assertThat(new Secret("hunter2")).hasToString("***");
    assertThat("" + new Secret("hunter2")).doesNotContain("hunter2");
  }
}
