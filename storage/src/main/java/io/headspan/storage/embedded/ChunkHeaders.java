package io.headspan.storage.embedded;

import java.util.Locale;
import java.util.Optional;

/// How the chunks of a SELECT make one result. The engine formats every chunk as a result of its
/// own; in some formats those may simply follow each other, in some the header that each repeats
/// must be left out, and the rest cannot be sent in chunks.
enum ChunkHeaders {
  /// Chunks follow each other.
  NONE,
  /// Varint count of columns, then that many names and types as strings.
  BINARY_NAMES_AND_TYPES,
  /// One line; TabSeparated escapes line ends within names.
  ONE_LINE,
  /// Two lines.
  TWO_LINES;

  /// Empty if the format cannot be sent in chunks.
  static Optional<ChunkHeaders> of(String format) {
    return switch (format.toLowerCase(Locale.ROOT)) {
      case "native", "rowbinary", "tabseparated", "tsv", "tabseparatedraw", "tsvraw" ->
          Optional.of(NONE);
      case "csv", "jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow", "lineasstring" ->
          Optional.of(NONE);
      case "rowbinarywithnamesandtypes" -> Optional.of(BINARY_NAMES_AND_TYPES);
      case "tabseparatedwithnames", "tsvwithnames" -> Optional.of(ONE_LINE);
      case "tabseparatedwithnamesandtypes", "tsvwithnamesandtypes" -> Optional.of(TWO_LINES);
      default -> Optional.empty();
    };
  }

  /// Length of the header that `chunk` begins with.
  long length(EngineResult chunk) {
    return switch (this) {
      case NONE -> 0;
      case BINARY_NAMES_AND_TYPES -> binaryHeader(chunk);
      case ONE_LINE -> lines(chunk, 1);
      case TWO_LINES -> lines(chunk, 2);
    };
  }

  private static long lines(EngineResult chunk, int count) {
    long position = 0;
    int seen = 0;
    while (seen < count && position < chunk.length()) {
      if (chunk.byteAt(position++) == '\n') {
        seen++;
      }
    }
    return position;
  }

  private static long binaryHeader(EngineResult chunk) {
    Varints varints = new Varints(chunk);
    long columns = varints.next();
    for (long i = 0; i < 2 * columns; i++) {
      long length = varints.next();
      varints.position += length;
    }
    return varints.position;
  }

  private static final class Varints {
    private final EngineResult chunk;
    private long position;

    Varints(EngineResult chunk) {
      this.chunk = chunk;
    }

    long next() {
      long value = 0;
      for (int shift = 0; ; shift += 7) {
        byte b = chunk.byteAt(position++);
        value |= (long) (b & 0x7f) << shift;
        if (b >= 0) {
          return value;
        }
      }
    }
  }
}
