package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StoredTokensTest {
  @TempDir private Path directory;

  @Test
  void knowsTokensAfterTheNextStart() throws IOException {
    try (StoredTokens tokens = StoredTokens.open(directory, "a")) {
      tokens.add(List.of("one", "two"));
      tokens.add(List.of("three"));
      assertThat(tokens.contains("three")).isTrue();
    }
    try (StoredTokens tokens = StoredTokens.open(directory, "a");
        StoredTokens other = StoredTokens.open(directory, "b")) {
      assertThat(tokens.contains("one")).isTrue();
      assertThat(tokens.contains("two")).isTrue();
      assertThat(tokens.contains("three")).isTrue();
      assertThat(tokens.contains("four")).isFalse();
      assertThat(other.contains("one")).isFalse();
    }
  }

  @Test
  void leavesOutARecordThatWasCutOff() throws IOException {
    try (StoredTokens tokens = StoredTokens.open(directory, "a")) {
      tokens.add(List.of("one"));
      tokens.add(List.of("two", "three"));
    }
    Path file = directory.resolve("a-0.tokens");
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length < whole.length; length++) {
      Files.write(file, Arrays.copyOf(whole, length));
      try (StoredTokens tokens = StoredTokens.open(directory, "a")) {
        assertThat(tokens.contains("one")).isEqualTo(length >= 20);
        assertThat(tokens.contains("two")).isFalse();
        assertThat(tokens.contains("three")).isFalse();
        tokens.add(List.of("four"));
      }
      try (StoredTokens tokens = StoredTokens.open(directory, "a")) {
        assertThat(tokens.contains("one")).isEqualTo(length >= 20);
        assertThat(tokens.contains("four")).isTrue();
      }
    }
  }

  @Test
  void keepsThoseOfTheLastTenThousandGroups() throws IOException {
    int groups = 3 * StoredTokens.GROUPS_PER_FILE + 1;
    try (StoredTokens tokens = StoredTokens.open(directory, "a")) {
      for (int i = 0; i < groups; i++) {
        tokens.add(List.of("token " + i));
      }
    }
    try (StoredTokens tokens = StoredTokens.open(directory, "a");
        Stream<Path> files = Files.list(directory)) {
      assertThat(files).hasSize(2);
      assertThat(tokens.contains("token 0")).isFalse();
      for (int i = groups - StoredTokens.GROUPS_PER_FILE; i < groups; i++) {
        assertThat(tokens.contains("token " + i)).isTrue();
      }
    }
  }

  @Test
  void forgetsTablesThatAreGone() throws IOException {
    for (String table : List.of("a", "b")) {
      try (StoredTokens tokens = StoredTokens.open(directory, table)) {
        tokens.add(List.of("one"));
      }
    }

    StoredTokens.retain(directory, Set.of("b"));

    try (StoredTokens gone = StoredTokens.open(directory, "a");
        StoredTokens kept = StoredTokens.open(directory, "b")) {
      assertThat(gone.contains("one")).isFalse();
      assertThat(kept.contains("one")).isTrue();
    }
  }
}
