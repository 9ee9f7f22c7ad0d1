package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The directory that the engine keeps its data in, locked for this process. The engine locks it
/// too, but says so only on stderr; ours comes first so that the refusal is one clear error.
final class DataDirectory implements AutoCloseable {
  private static final String LOCK_FILE = "headspan.lock";

  /// Written by the engine while it runs.
  private static final String STATUS_FILE = "status";

  private static final Pattern PID = Pattern.compile("PID: (\\d+)");

  private final Path path;
  private final FileChannel channel;

  private DataDirectory(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /// Creates the directory if need be and locks it until [#close()].
  ///
  /// @throws StoreException if another process has it, or it cannot be written
  static DataDirectory lock(Path directory) {
    Path path = directory.toAbsolutePath().normalize();
    FileChannel channel = null;
    try {
      Files.createDirectories(path);
      channel =
          FileChannel.open(
              path.resolve(LOCK_FILE),
              StandardOpenOption.CREATE,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
      if (!tryLock(channel)) {
        String holder = holder(path, channel);
        channel.close();
        throw inUse(path, holder);
      }
      channel.truncate(0);
      channel.write(text("PID: " + ProcessHandle.current().pid() + "\n"), 0);
      return new DataDirectory(path, channel);
    } catch (IOException e) {
      closeAfter(e, channel);
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "data directory cannot be used: path="
              + path
              + ", reason="
              + e
              + "; set HEADSPAN_STORE_PATH to a directory that this user can write",
          e);
    }
  }

  Path path() {
    return path;
  }

  /// The error for an engine that another program runs on this directory.
  StoreException inUse() throws IOException {
    return inUse(path, holder(path, channel));
  }

  /// Whether the engine of another process says it runs here.
  boolean hasOtherEngine() {
    Optional<Long> pid = enginePid(path);
    return pid.isPresent()
        && pid.get() != ProcessHandle.current().pid()
        && ProcessHandle.of(pid.get()).isPresent();
  }

  /// Unlocks the directory.
  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE, 0, "data directory cannot be unlocked: path=" + path, e);
    }
  }

  private static boolean tryLock(FileChannel channel) throws IOException {
    try {
      FileLock lock = channel.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      // This process has it already.
      return false;
    }
  }

  private static StoreException inUse(Path path, String holder) {
    return new StoreException(
        StoreException.Kind.UNAVAILABLE,
        "data directory is in use: path="
            + path
            + ", holder="
            + holder
            + "; stop that process, or set HEADSPAN_STORE_PATH to another directory");
  }

  private static String holder(Path path, FileChannel lockFile) throws IOException {
    ByteBuffer content = ByteBuffer.allocate(64);
    lockFile.read(content, 0);
    Optional<Long> pid =
        pid(new String(content.array(), 0, content.position(), StandardCharsets.UTF_8))
            .or(() -> enginePid(path));
    return pid.map(value -> "pid " + value).orElse("unknown");
  }

  private static Optional<Long> enginePid(Path path) {
    try {
      return pid(Files.readString(path.resolve(STATUS_FILE)));
    } catch (IOException e) {
      // No engine has written the file, or it has just removed it.
      return Optional.empty();
    }
  }

  private static Optional<Long> pid(String text) {
    Matcher matcher = PID.matcher(text);
    return matcher.find() ? Optional.of(Long.valueOf(matcher.group(1))) : Optional.empty();
  }

  private static ByteBuffer text(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private static void closeAfter(
      IOException cause, @org.jspecify.annotations.Nullable FileChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) {
        cause.addSuppressed(e);
      }
    }
  }
}
