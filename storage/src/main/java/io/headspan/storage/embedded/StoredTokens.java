package io.headspan.storage.embedded;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// The tokens of what one table got in groups, in memory and in files: those of its last 10,000
/// groups at least, of its last 20,000 at most.
///
/// A file has the tokens of 10,000 groups, a record for each: their number (32 bits), then the
/// first 128 bits of each one's SHA-256. The two newest files are kept. A record that a kill cut
/// off is left out; its group is in the journal still.
///
/// For one thread at a time.
final class StoredTokens implements AutoCloseable {
  /// As many as the engine knows blocks of a table (`non_replicated_deduplication_window`), so that
  /// who reckons with that window is right for groups as well.
  static final int GROUPS_PER_FILE = 10_000;

  private static final int NAME_BYTES = 16;
  private static final String SUFFIX = ".tokens";

  /// A token's digest: two tokens have the same one as often as two random UUIDs are equal.
  private record Name(long high, long low) {
    static Name of(MessageDigest digest, String token) {
      ByteBuffer bytes = ByteBuffer.wrap(digest.digest(token.getBytes(StandardCharsets.UTF_8)));
      return new Name(bytes.getLong(), bytes.getLong());
    }
  }

  private final Path directory;
  private final String prefix;
  private final MessageDigest digest = InsertGroup.sha256();
  private Set<Name> previous = new HashSet<>();
  private Set<Name> current = new HashSet<>();
  private FileChannel file;
  private long fileNumber;
  private int groups;

  private StoredTokens(Path directory, String prefix, long fileNumber) throws IOException {
    this.directory = directory;
    this.prefix = prefix;
    this.fileNumber = fileNumber;
    this.file = openFile();
  }

  /// Reads what a table has.
  ///
  /// @param prefix of the names of its files
  static StoredTokens open(Path directory, String prefix) throws IOException {
    List<Long> numbers = numbers(directory, prefix);
    long newest = numbers.isEmpty() ? 0 : numbers.getLast();
    StoredTokens tokens = new StoredTokens(directory, prefix, newest);
    try {
      if (numbers.contains(newest - 1)) {
        try (FileChannel older =
            FileChannel.open(tokens.path(newest - 1), StandardOpenOption.READ)) {
          var _ = read(bytes(older), tokens.previous);
        }
      }
      tokens.readCurrent();
      return tokens;
    } catch (IOException | RuntimeException e) {
      tokens.file.close();
      throw e;
    }
  }

  /// Deletes the files of all tables but those with these prefixes.
  static void retain(Path directory, Set<String> prefixes) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path each : files) {
        String name = each.getFileName().toString();
        if (!prefixes.contains(name.substring(0, Math.max(0, name.indexOf('-'))))) {
          Files.delete(each);
        }
      }
    }
  }

  boolean contains(String token) {
    Name name = Name.of(digest, token);
    return current.contains(name) || previous.contains(name);
  }

  /// Takes note of a group's tokens. Fails with nothing noted.
  void add(Collection<String> tokens) throws IOException {
    if (groups == GROUPS_PER_FILE) {
      startFile();
    }
    List<Name> names = tokens.stream().map(token -> Name.of(digest, token)).toList();
    ByteBuffer record = ByteBuffer.allocate(Integer.BYTES + names.size() * NAME_BYTES);
    record.putInt(names.size());
    names.forEach(name -> record.putLong(name.high).putLong(name.low));
    long end = file.size();
    record.flip();
    try {
      for (long at = end; record.hasRemaining(); ) {
        at += file.write(record, at);
      }
    } catch (IOException e) {
      var _ = file.truncate(end);
      throw e;
    }
    current.addAll(names);
    groups++;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  private void startFile() throws IOException {
    fileNumber++;
    FileChannel full = file;
    try {
      file = openFile();
    } catch (IOException e) {
      fileNumber--;
      throw e;
    }
    full.close();
    previous = current;
    current = new HashSet<>();
    groups = 0;
    var _ = Files.deleteIfExists(path(fileNumber - 2));
  }

  /// Reads the newest file, and takes off what a kill has cut off.
  private void readCurrent() throws IOException {
    ByteBuffer bytes = bytes(file);
    groups = read(bytes, current);
    var _ = file.truncate(bytes.position());
  }

  /// @param bytes left where no more whole record begins
  /// @return how many groups there are
  private static int read(ByteBuffer bytes, Set<Name> into) {
    int read = 0;
    while (bytes.remaining() >= Integer.BYTES) {
      int count = bytes.getInt(bytes.position());
      if (count < 0 || count > (bytes.remaining() - Integer.BYTES) / NAME_BYTES) {
        break;
      }
      bytes.position(bytes.position() + Integer.BYTES);
      for (int i = 0; i < count; i++) {
        into.add(new Name(bytes.getLong(), bytes.getLong()));
      }
      read++;
    }
    return read;
  }

  private static ByteBuffer bytes(FileChannel from) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(from.size()));
    while (bytes.hasRemaining() && from.read(bytes, bytes.position()) >= 0) {
      // Goes on until all is read.
    }
    return bytes.flip();
  }

  private FileChannel openFile() throws IOException {
    return FileChannel.open(
        path(fileNumber),
        StandardOpenOption.CREATE,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  private Path path(long number) {
    return directory.resolve(prefix + "-" + number + SUFFIX);
  }

  /// The numbers of the table's files, smallest first.
  private static List<Long> numbers(Path directory, String prefix) throws IOException {
    List<Long> numbers = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(directory, prefix + "-*" + SUFFIX)) {
      for (Path each : files) {
        String name = each.getFileName().toString();
        numbers.add(
            Long.valueOf(name.substring(prefix.length() + 1, name.length() - SUFFIX.length())));
      }
    }
    numbers.sort(null);
    return numbers;
  }
}
