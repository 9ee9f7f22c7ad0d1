package io.headspan.wire.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReloadedFileTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);

  @TempDir private Path directory;
  private final List<Integer> changes = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();

  @Test
  void readsAChangedFileAgainAndKeepsTheOldContentOfABadOne() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "1");
    ReloadedFile<Integer> reloaded =
        ReloadedFile.open(
            file, ReloadedFileTest::number, changes::add, e -> problems.add(e.getMessage()));
    assertThat(reloaded.current()).isEqualTo(1);

    Files.writeString(file, "two and more");
    await(() -> reloaded.current() == 1 && !problems.isEmpty());
    assertThat(problems).singleElement().asString().contains("two and more");
    assertThat(changes).isEmpty();

    Files.writeString(file, "22");
    await(() -> reloaded.current() == 22);
    assertThat(changes).containsExactly(22);

    Files.delete(file);
    long beforeNs = System.nanoTime();
    await(() -> System.nanoTime() - beforeNs > Duration.ofMillis(1_500).toNanos());
    assertThat(reloaded.current()).isEqualTo(22);
    Files.writeString(file, "333");
    await(() -> reloaded.current() == 333);
    assertThat(problems).hasSize(1);
  }

  @Test
  void aFileThatIsWrongFromTheStartIsAnError() {
    assertThatThrownBy(() ->
            ReloadedFile.open(
                directory.resolve("none"),
                ReloadedFileTest::number,
                changes::add,
                e -> problems.add(e.getMessage())))
        .isInstanceOf(UncheckedIOException.class);
  }

  private static int number(Path file) {
    try {
      return Integer.parseInt(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void await(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("waited for %s", LIMIT).isLessThan(deadlineNs);
      LockSupport.parkNanos(10_000_000);
    }
  }
}
