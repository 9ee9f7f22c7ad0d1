package io.headspan.wire.access;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// What a file says, read again when it has changed, at most once a second. A change that cannot be
/// used is told once, and what was read before stays. Thread-safe.
public final class ReloadedFile<T> {
  private static final long CHECK_EVERY_NS = TimeUnit.SECONDS.toNanos(1);

  private final Path file;
  private final Function<Path, T> reader;
  private final Consumer<RuntimeException> onBadChange;
  private final Consumer<T> onChange;
  private volatile T content;
  private volatile long checkedNs = System.nanoTime();
  private @Nullable Stamp stamp;

  /// What tells that a file has changed.
  private record Stamp(FileTime modified, long sizeBytes, @Nullable Object key) {}

  /// Reads the file.
  ///
  /// @param reader throws what says why the file cannot be used
  /// @param onChange is told what a changed file says
  /// @param onBadChange is told why a changed file cannot be used
  public static <T> ReloadedFile<T> open(
      Path file,
      Function<Path, T> reader,
      Consumer<T> onChange,
      Consumer<RuntimeException> onBadChange) {
    return new ReloadedFile<>(file, reader, onChange, onBadChange);
  }

  private ReloadedFile(
      Path file,
      Function<Path, T> reader,
      Consumer<T> onChange,
      Consumer<RuntimeException> onBadChange) {
    this.file = file;
    this.reader = reader;
    this.onChange = onChange;
    this.onBadChange = onBadChange;
    // Before reading: a change in between is seen the next time.
    stamp = stamp();
    content = reader.apply(file);
  }

  /// What the file says, as it was within the last second.
  public T current() {
    if (System.nanoTime() - checkedNs >= CHECK_EVERY_NS) {
      check();
    }
    return content;
  }

  private synchronized void check() {
    if (System.nanoTime() - checkedNs < CHECK_EVERY_NS) {
      return;
    }
    Stamp now = stamp();
    if (now != null && !now.equals(stamp)) {
      stamp = now;
      try {
        content = reader.apply(file);
        onChange.accept(content);
      } catch (RuntimeException e) {
        onBadChange.accept(e);
      }
    }
    checkedNs = System.nanoTime();
  }

  /// Null while the file is not there: whoever replaces it may take it away first.
  private @Nullable Stamp stamp() {
    try {
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return new Stamp(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
    } catch (IOException _) {
      return null;
    }
  }
}
