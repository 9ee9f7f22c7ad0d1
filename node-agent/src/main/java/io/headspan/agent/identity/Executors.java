package io.headspan.agent.identity;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.agent.log.FailureLog;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The Wasm executors of this node, by the file that each keeps in the run directory:
/// `executors/<pid>.json` with pid, start, port and functions, replaced as a whole at every deploy.
///
/// The files say which tenant a function belongs to, so they must come from the platform: files
/// that everybody may write are refused, and so are those of a process that is no longer there.
final class Executors {
  private static final Logger LOG = LoggerFactory.getLogger(Executors.class);

  private static final String SUFFIX = ".json";
  private static final String ROOT = "/functions/";
  private static final long FILE_BYTES_MAX = 64L << 20;

  /// A directory changed less than this ago may change again without a new time.
  private static final Duration TIME_STEP = Duration.ofMillis(100);

  private final FailureLog failures = new FailureLog(LOG);
  private final ObjectMapper json = new ObjectMapper();
  private final Path directory;
  private final Processes processes;
  private @Nullable FileTime readAt;
  private Map<Integer, Executor> executors = Map.of();

  /// One executor as it was registered.
  ///
  /// @param functions by path of the request that invokes them
  record Executor(ProcessId process, int port, Map<String, Identity> functions) {
    /// Whether requests with this path may invoke functions.
    static boolean isOfFunctions(String path) {
      return path.startsWith(ROOT);
    }

    /// The function that a request invokes; null if it invokes none, but deploys or removes one,
    /// say.
    ///
    /// @param method of the request; null if not known
    @Nullable Identity function(@Nullable String method, String path) {
      // /functions/<tenant>/<name> and everything below it.
      int nameEnd = path.indexOf('/', path.indexOf('/', ROOT.length()) + 1);
      boolean isBelow = isOfFunctions(path) && nameEnd > ROOT.length();
      Identity function = functions.get(isBelow ? path.substring(0, nameEnd) : path);
      boolean deploys = !isBelow && ("PUT".equals(method) || "DELETE".equals(method));
      return deploys ? null : function;
    }
  }

  Executors(Path runDirectory, Processes processes) {
    directory = runDirectory.resolve("executors");
    this.processes = processes;
  }

  /// All executors by pid, read again if a file came, went or was replaced.
  ///
  /// @throws IOException if the directory cannot be read
  Map<Integer, Executor> current() throws IOException {
    FileTime changedAt;
    try {
      changedAt = Files.getLastModifiedTime(directory);
    } catch (NoSuchFileException e) {
      readAt = null;
      executors = Map.of();
      return executors;
    }
    if (!changedAt.equals(readAt)) {
      executors = readAll();
      boolean settled = changedAt.toInstant().plus(TIME_STEP).isBefore(Instant.now());
      readAt = settled ? changedAt : null;
    }
    return executors;
  }

  private Map<Integer, Executor> readAll() throws IOException {
    Map<Integer, Executor> found = new HashMap<>();
    if (isWritableByAll(directory)) {
      throw new IOException(
          "executors cannot be trusted, everybody may register one: directory="
              + directory
              + "; remedy: chmod o-w");
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path file : files) {
        try {
          read(file).ifPresent(executor -> found.put(executor.process().pid(), executor));
        } catch (IOException e) {
          failures.warn("Registration of an executor cannot be read, ignored", "file=" + file, e);
        }
      }
    }
    return Map.copyOf(found);
  }

  private Optional<Executor> read(Path file) throws IOException {
    JsonNode registration;
    try {
      if (Files.size(file) > FILE_BYTES_MAX || isWritableByAll(file)) {
        return Optional.empty();
      }
      registration = json.readTree(Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      return Optional.empty(); // withdrawn meanwhile
    }
    ProcessId process =
        new ProcessId(registration.path("pid").asInt(), registration.path("startTicks").asLong());
    boolean isNamedAfterProcess = file.getFileName().toString().equals(process.pid() + SUFFIX);
    if (!isNamedAfterProcess || !processes.process(process.pid()).equals(Optional.of(process))) {
      return Optional.empty(); // left behind by a process that was killed
    }
    Map<String, Identity> functions = new HashMap<>();
    for (JsonNode function : registration.path("functions")) {
      String tenant = function.path("tenant").asText();
      String name = function.path("name").asText();
      String version = function.path("version").asText();
      if (!tenant.isEmpty() && !name.isEmpty()) {
        functions.put(
            ROOT + tenant + "/" + name,
            Identity.ofFunction(process, tenant, name, version.isEmpty() ? null : version));
      }
    }
    return Optional.of(new Executor(process, registration.path("port").asInt(), functions));
  }

  /// Whether a registration is that of a process that is no longer there.
  boolean isOfNobody(Path file) throws IOException {
    JsonNode registration;
    try {
      registration = json.readTree(Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      return false; // withdrawn meanwhile
    }
    ProcessId process =
        new ProcessId(registration.path("pid").asInt(), registration.path("startTicks").asLong());
    return !processes.process(process.pid()).equals(Optional.of(process));
  }

  private static boolean isWritableByAll(Path file) throws IOException {
    return Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_WRITE);
  }
}
