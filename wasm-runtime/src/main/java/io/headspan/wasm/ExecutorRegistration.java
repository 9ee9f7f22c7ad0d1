package io.headspan.wasm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tells the agent on this machine that an executor runs, on what port, and with which functions,
/// in `executors/<pid>.json` of the run directory. The start time in clock ticks tells this process
/// from a later one with the same pid, should the file outlive it.
///
/// The file is replaced by a rename, so a reader sees a whole one. Without a writable directory the
/// executor works as before, and its functions are seen as one process.
final class ExecutorRegistration implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(ExecutorRegistration.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Field 22 of `/proc/<pid>/stat` (proc_pid_stat(5)), counted from the one after the name.
  private static final int START_TIME_AFTER_NAME = 19;

  private record Function(String tenant, String name, String version) {}

  private record Executor(long pid, long startTicks, int port, List<Function> functions) {}

  private final Path file;
  private final int port;
  private boolean warned;
  private boolean closed;

  ExecutorRegistration(Path runDirectory, int port) {
    this.file = runDirectory.resolve("executors").resolve(ProcessHandle.current().pid() + ".json");
    this.port = port;
  }

  synchronized void write(List<FunctionInfo> functions) {
    if (closed) {
      return;
    }
    Executor executor =
        new Executor(
            ProcessHandle.current().pid(),
            startTicks(),
            port,
            functions.stream()
                .map(f -> new Function(f.function().tenant(), f.function().name(), f.version()))
                .toList());
    Path directory = file.getParent();
    try {
      Files.createDirectories(directory, permissions("rwxr-xr-x"));
      // Readers look for *.json, so that they never see this one.
      Path written = Files.createTempFile(directory, ".executor", ".tmp", permissions("rw-r--r--"));
      try {
        Files.write(written, JSON.writeValueAsBytes(executor));
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(written);
      }
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("cannot write names and numbers as JSON", e);
    } catch (IOException e) {
      warnOnce(e);
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      if (warned) {
        return;
      }
      logger.warn(
          "cannot remove the executor's registration: file={}, cause={}", file, e.toString());
    }
  }

  /// The agent trusts only what not everybody may write.
  private static FileAttribute<Set<PosixFilePermission>> permissions(String permissions) {
    return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions));
  }

  private void warnOnce(IOException e) {
    if (!warned) {
      warned = true;
      logger.warn(
          "cannot register with the node agent, so it will not tell functions apart: file={},"
              + " cause={}; make the directory writable or set HEADSPAN_RUN_DIR",
          file,
          e.toString());
    }
  }

  private static long startTicks() {
    try {
      String stat = Files.readString(Path.of("/proc/self/stat"));
      String afterName = stat.substring(stat.lastIndexOf(')') + 2);
      return Long.parseLong(afterName.split(" ", -1)[START_TIME_AFTER_NAME]);
    } catch (IOException | RuntimeException e) {
      logger.warn("cannot read this process's start time: cause={}", e.toString());
      return 0;
    }
  }
}
