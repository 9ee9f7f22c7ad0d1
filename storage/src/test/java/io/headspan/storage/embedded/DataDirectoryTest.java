package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DataDirectoryTest {
  @TempDir private Path temporary;

  @Test
  void isCreatedAndCanBeLockedAgainOnceClosed() {
    Path path = temporary.resolve("a/b");
    DataDirectory.lock(path).close();
    try (DataDirectory again = DataDirectory.lock(path)) {
      assertThat(again.path()).isEqualTo(path);
    }
  }

  @Test
  void namesItsHolder() {
    try (DataDirectory held = DataDirectory.lock(temporary)) {
      assertThatThrownBy(() -> DataDirectory.lock(temporary))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("data directory is in use: path=" + held.path())
          .hasMessageContaining("holder=pid " + ProcessHandle.current().pid());
    }
  }

  @Test
  void mustBeADirectory() throws IOException {
    Path file = Files.createFile(temporary.resolve("file"));
    assertThatThrownBy(() -> DataDirectory.lock(file))
        .isInstanceOf(StoreException.class)
        .hasMessageContaining("data directory cannot be used: path=" + file)
        .hasMessageContaining("HEADSPAN_STORE_PATH");
  }
}
