package io.headspan.storage.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class InsertJournalTest {
  private static final Clock NOON =
      Clock.fixed(Instant.parse("2026-11-22T12:00:00Z"), ZoneOffset.UTC);
  private static final InsertForm FORM =
      new InsertForm(
          "headspan",
          new Statement.Table("", "täble"),
          "INSERT INTO `täble` (a, b)",
          Map.of("insert_deduplicate", "1", "max_threads", "2"),
          Map.of("x", "y\n"));

  @TempDir private Path directory;

  @Test
  void findsWhatWasUnderWay() throws IOException {
    InsertGroup first;
    InsertGroup second;
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      first = journal.write("t1", FORM, List.of(insert("a", "rows of a"), insert("b", "of b")));
      second = journal.write("t2", FORM, List.of(insert("c", "")));
      InsertGroup done = journal.write("t1", FORM, List.of(insert("d", "of d")));
      journal.stored(done);
      assertThat(journal.isStored("t1", "d")).isTrue();
    }
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      assertThat(journal.left()).containsExactly(first, second);
      assertThat(Files.readString(first.file(), StandardCharsets.ISO_8859_1))
          .endsWith("rows of aof b");
      assertThat(Files.size(first.file()) - first.dataOffset()).isEqualTo(13);
      assertThat(journal.isStored("t1", "a")).isFalse();
      assertThat(journal.isStored("t1", "d")).isTrue();
      assertThat(journal.isStored("t2", "d")).isFalse();

      journal.stored(first);
      journal.drop(second);

      assertThat(journal.left()).isEmpty();
      assertThat(journal.isStored("t1", "b")).isTrue();
      assertThat(journal.isStored("t2", "c")).isFalse();
    }
  }

  @Test
  void namesAGroupByAllItsMembersAndOneInsertByItself() throws IOException {
    assertThat(InsertGroup.token(List.of("a"))).isEqualTo("a");
    assertThat(List.of(List.of("a", "b"), List.of("b", "a"), List.of("ab", ""), List.of("a", "")))
        .extracting(InsertGroup::token)
        .doesNotHaveDuplicates()
        .allMatch(token -> token.startsWith("group/"));
  }

  @Test
  void keepsTogetherWhatMayBeStoredInPart() throws IOException {
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      InsertGroup group = journal.write("t", FORM, List.of(insert("a", "1"), insert("b", "2")));
      journal.keep(group);
      assertThat(journal.unfinished("t", "b")).hasValue(group);
      assertThat(journal.unfinished("other", "b")).isEmpty();

      journal.stored(group);

      assertThat(journal.unfinished("t", "b")).isEmpty();
      assertThat(journal.isStored("t", "b")).isTrue();
    }
  }

  @Test
  void putsAsideWhatItCannotRead() throws IOException {
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      InsertGroup group = journal.write("t", FORM, List.of(insert("a", "1")));
      Files.writeString(group.file(), "power cut");
      Files.writeString(directory.resolve("inserts/1.group.draft"), "not whole");

      assertThat(journal.left()).isEmpty();

      assertThat(directory.resolve("inserts/" + group.file().getFileName() + ".unreadable"))
          .hasContent("power cut");
      assertThat(directory.resolve("inserts/1.group.draft")).doesNotExist();
    }
  }

  @Test
  void putsNothingTogetherForAnHourWhereOlderVersionsHaveStored() throws IOException {
    Files.createDirectory(directory.resolve("store"));
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      assertThat(journal.isAlone()).isTrue();
    }
    try (InsertJournal journal =
        InsertJournal.open(directory, Clock.offset(NOON, InsertJournal.ALONE.minusSeconds(1)))) {
      assertThat(journal.isAlone()).isTrue();
    }
    try (InsertJournal journal =
        InsertJournal.open(directory, Clock.offset(NOON, InsertJournal.ALONE.plusSeconds(1)))) {
      assertThat(journal.isAlone()).isFalse();
    }
    try (InsertJournal journal = InsertJournal.open(directory, NOON)) {
      assertThat(journal.isAlone()).isFalse();
    }
  }

  private static WaitingInsert insert(String token, String rows) throws IOException {
    byte[] bytes = rows.getBytes(StandardCharsets.UTF_8);
    return new WaitingInsert(
        FORM,
        token,
        InsertData.read(new ByteArrayInputStream(bytes), 100),
        new CompletableFuture<>());
  }
}
