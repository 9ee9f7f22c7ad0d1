package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The engine's lists of the blocks it has stored, by which it ignores a replay: for each table
/// that deduplicates, `deduplication_logs/deduplication_log_N.txt` beside its parts.
///
/// For each block the engine first appends a line, then renames the block's part to its final name
/// (seen with strace, engine 26.7). Killed between the two, it knows a block that it does not have:
/// the replay would be ignored, acknowledged and lost. So before the engine starts, lines without a
/// part are taken out; a part without a line does not come about.
///
/// A line is `operation TAB part TAB block`, operation 1 for added and 2 for dropped. Parts are
/// named `partition_minBlock_maxBlock_level[_mutation]`, and a merged part stands for all blocks
/// between its two (ClickHouse's MergeTreeDeduplicationLog.cpp and MergeTreePartInfo.h).
final class DeduplicationLogs {
  private static final String LOGS = "deduplication_logs";
  private static final String ADDED = "1";
  private static final Pattern PART = Pattern.compile("([^_]+)_(\\d+)_(\\d+)_\\d+(?:_\\d+)?");

  /// Not among the logs: the engine wants a number in the name of every file there.
  private static final String DRAFT = "deduplication_log.draft";

  /// Blocks of a partition that are in one part.
  private record Range(long minBlock, long maxBlock) {}

  private DeduplicationLogs() {}

  /// Takes out what is not stored. No engine may run on the directory.
  ///
  /// @return how many lines were taken out
  /// @throws StoreException if the directory cannot be read or written
  static int repair(Path dataDirectory) {
    try {
      int removed = 0;
      for (Path table : children(dataDirectory, "store", "*", "*")) {
        Path logs = table.resolve(LOGS);
        if (Files.isDirectory(logs)) {
          Map<String, List<Range>> stored = parts(table);
          for (Path log : children(logs, "*.txt")) {
            removed += repair(log, stored, dataDirectory.resolve(DRAFT));
          }
        }
      }
      return removed;
    } catch (IOException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "lists of stored blocks cannot be checked: path=" + dataDirectory + ", reason=" + e,
          e);
    }
  }

  private static int repair(Path log, Map<String, List<Range>> stored, Path draft)
      throws IOException {
    List<String> kept = new ArrayList<>();
    int removed = 0;
    // Names of parts and blocks are ASCII; no byte is changed by this either way.
    for (String line : Files.readAllLines(log, StandardCharsets.ISO_8859_1)) {
      if (isTrue(line, stored)) {
        kept.add(line + "\n");
      } else {
        removed++;
      }
    }
    if (removed > 0) {
      Files.writeString(draft, String.join("", kept), StandardCharsets.ISO_8859_1);
      Files.move(draft, log, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
    return removed;
  }

  /// Whether a line says what is so. One that is cut off says nothing, and would stop the engine
  /// from reading those after it.
  private static boolean isTrue(String line, Map<String, List<Range>> stored) {
    String[] fields = line.split("\t", -1);
    Matcher part = PART.matcher(fields.length == 3 ? fields[1] : "");
    if (!part.matches()) {
      return false;
    }
    if (!fields[0].equals(ADDED)) {
      return true;
    }
    Optional<Range> block = range(part);
    return block.isPresent()
        && stored.getOrDefault(part.group(1), List.of()).stream()
            .anyMatch(each ->
                each.minBlock <= block.get().minBlock && block.get().maxBlock <= each.maxBlock);
  }

  /// The parts of a table by partition. What is being written or deleted has a name before the
  /// partition's, and so counts for none.
  private static Map<String, List<Range>> parts(Path table) throws IOException {
    Map<String, List<Range>> parts = new HashMap<>();
    for (Path each : children(table, "*")) {
      Matcher part = PART.matcher(each.getFileName().toString());
      if (part.matches() && Files.isDirectory(each)) {
        range(part)
            .ifPresent(
                range -> parts.computeIfAbsent(part.group(1), _ -> new ArrayList<>()).add(range));
      }
    }
    return parts;
  }

  /// The blocks of a part; empty if they are no numbers of the engine's.
  private static Optional<Range> range(Matcher part) {
    try {
      return Optional.of(new Range(Long.parseLong(part.group(2)), Long.parseLong(part.group(3))));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  /// What lies below `directory`, a step down for each pattern of names.
  private static List<Path> children(Path directory, String... steps) throws IOException {
    List<Path> found = List.of(directory);
    for (String step : steps) {
      List<Path> next = new ArrayList<>();
      for (Path each : found) {
        if (Files.isDirectory(each)) {
          try (DirectoryStream<Path> children = Files.newDirectoryStream(each, step)) {
            children.forEach(next::add);
          }
        }
      }
      found = next;
    }
    return found;
  }
}
