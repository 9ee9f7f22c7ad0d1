package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Which groups of INSERTs are under way and what was stored in groups, in the data directory, so
/// that a kill between any two steps leaves each INSERT stored once or not at all:
///
/// 1. A group is written to a file.
/// 2. The engine carries it out, under the group's token.
/// 3. The tokens of its members are noted as stored.
/// 4. The file is deleted, and the senders are answered.
///
/// A file that is found at the start is carried out again: what the engine has of it, it knows by
/// the token, in each table.
///
/// Thread-safe.
final class InsertJournal implements AutoCloseable {
  /// How long INSERTs are not put together where older versions have stored before: their tokens
  /// are known to the engine alone, and those may come again.
  static final Duration ALONE = Duration.ofHours(1);

  private static final Logger LOG = LoggerFactory.getLogger(InsertJournal.class);
  private static final String NAME = "inserts";
  private static final String ALONE_UNTIL = "alone-until";
  private static final String SUFFIX = ".group";

  private record Key(String table, String token) {}

  private final Path directory;
  private final Clock clock;
  private final Instant aloneUntil;

  /// Guarded by `this`, as all that follow.
  private final Map<String, StoredTokens> stored = new HashMap<>();

  /// Groups of which the engine may have a part, by their members.
  private final Map<Key, InsertGroup> unfinished = new HashMap<>();

  private long groups;

  private InsertJournal(Path directory, Clock clock, Instant aloneUntil) {
    this.directory = directory;
    this.clock = clock;
    this.aloneUntil = aloneUntil;
  }

  /// Opens the journal of a data directory. Begins one if there is none.
  ///
  /// @throws StoreException if it cannot be read or written
  static InsertJournal open(Path dataDirectory, Clock clock) {
    Path directory = dataDirectory.resolve(NAME);
    try {
      boolean older = !Files.exists(directory) && Files.exists(dataDirectory.resolve("store"));
      Files.createDirectories(directory);
      Path file = directory.resolve(ALONE_UNTIL);
      if (older) {
        Files.writeString(file, clock.instant().plus(ALONE).toString());
      }
      Instant aloneUntil = Instant.EPOCH;
      if (Files.exists(file)) {
        aloneUntil = Instant.parse(Files.readString(file));
        if (aloneUntil.isBefore(clock.instant())) {
          Files.delete(file);
        }
      }
      return new InsertJournal(directory, clock, aloneUntil);
    } catch (IOException | DateTimeException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "journal of inserts cannot be used: path=" + directory + ", reason=" + e,
          e);
    }
  }

  /// Whether each INSERT is to be carried out by itself for now.
  boolean isAlone() {
    return clock.instant().isBefore(aloneUntil);
  }

  /// The groups that were under way when the store ended, oldest first. What was not even written
  /// is deleted.
  List<InsertGroup> left() throws IOException {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(directory)) {
      for (Path each : found) {
        String name = each.getFileName().toString();
        if (name.endsWith(SUFFIX)) {
          files.add(each);
        } else if (name.endsWith(".draft")) {
          Files.delete(each);
        }
      }
    }
    files.sort(null);
    List<InsertGroup> left = new ArrayList<>();
    for (Path each : files) {
      try {
        left.add(InsertGroup.read(each));
      } catch (IOException e) {
        // A kill leaves none like that; a power cut may, and whoever sent it was not answered.
        Path aside = each.resolveSibling(each.getFileName() + ".unreadable");
        LOG.error("Group of inserts cannot be read, and is put aside: file={}", aside, e);
        Files.move(each, aside);
      }
    }
    return left;
  }

  /// Forgets what tables got that are not there any more.
  void retain(Set<String> tables) throws IOException {
    StoredTokens.retain(directory, tables);
  }

  /// Whether an INSERT of this token was stored in the table.
  synchronized boolean isStored(String table, String token) throws IOException {
    return stored(table).contains(token);
  }

  /// The group that an INSERT belongs to and has to be stored with, since the engine may have a
  /// part of it.
  synchronized Optional<InsertGroup> unfinished(String table, String token) {
    return Optional.ofNullable(unfinished.get(new Key(table, token)));
  }

  /// Writes a group down that is to be carried out now.
  InsertGroup write(String table, InsertForm form, List<WaitingInsert> members) throws IOException {
    return InsertGroup.write(nextFile(), table, form, members);
  }

  /// The engine has the group. Once this has returned, its members are known to be stored.
  synchronized void stored(InsertGroup group) throws IOException {
    stored(group.table()).add(group.tokens());
    drop(group);
  }

  /// The engine has nothing of the group.
  synchronized void drop(InsertGroup group) throws IOException {
    Files.delete(group.file());
    group.tokens().forEach(token -> unfinished.remove(new Key(group.table(), token)));
  }

  /// The engine may have a part of the group: it stays as it is until it has all.
  synchronized void keep(InsertGroup group) {
    group.tokens().forEach(token -> unfinished.put(new Key(group.table(), token), group));
  }

  /// Whether the engine may have a part of the group from an earlier time.
  synchronized boolean isKept(InsertGroup group) {
    return group.equals(unfinished.get(new Key(group.table(), group.tokens().getFirst())));
  }

  @Override
  public synchronized void close() {
    for (StoredTokens each : stored.values()) {
      try {
        each.close();
      } catch (IOException e) {
        LOG.warn("File of tokens not closed", e);
      }
    }
  }

  private synchronized Path nextFile() {
    groups++;
    // In the order of their names, over restarts as well.
    return directory.resolve("%020d-%010d%s".formatted(clock.millis(), groups, SUFFIX));
  }

  private StoredTokens stored(String table) throws IOException {
    StoredTokens tokens = stored.get(table);
    if (tokens == null) {
      tokens = StoredTokens.open(directory, table);
      stored.put(table, tokens);
    }
    return tokens;
  }
}
