package io.headspan.query.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A file with a line per request, each with the hash of the one before it: whoever changes,
/// removes or inserts a line has to write all later ones anew, and the last hash, noted elsewhere,
/// tells. Thread-safe.
public final class AuditLog implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(AuditLog.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path file;
  private final Writer writer;
  private long number;
  private String last;
  private boolean broken;

  /// The outcome of a check.
  ///
  /// @param lines good ones from the beginning
  /// @param last hash of the last of them; of nothing if there is none
  /// @param hasExpected whether one of them has the hash that was expected
  /// @param problem what is wrong with the line after them; empty if nothing is
  public record Verdict(long lines, String last, boolean hasExpected, Optional<String> problem) {}

  private AuditLog(Path file, Writer writer, Verdict before) {
    this.file = file;
    this.writer = writer;
    number = before.lines();
    last = before.last();
  }

  /// Opens a log to go on with; makes it if it is not there.
  ///
  /// @throws IOException if it cannot be written, or its chain is broken already
  static AuditLog open(Path file) throws IOException {
    Verdict before;
    try {
      before = verify(file);
    } catch (NoSuchFileException _) {
      before = new Verdict(0, AuditRecord.BEGINNING, false, Optional.empty());
    }
    if (before.problem().isPresent()) {
      throw new IOException(
          "the audit log is not as it was written: file="
              + file
              + ", "
              + before.problem().get()
              + "; look at it with `headspan audit verify`, then move it away");
    }
    Writer writer =
        Files.newBufferedWriter(
            file, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    logger.info(
        "audit log opened: file={}, lines={}, last={}", file, before.lines(), before.last());
    return new AuditLog(file, writer, before);
  }

  /// One more than the number of the last line.
  private long next() {
    return number + 1;
  }

  @FunctionalInterface
  interface Numbered {
    AuditRecord record(long number);
  }

  /// Writes a line.
  synchronized void add(Numbered record) {
    String line = record.record(next()).line(last);
    try {
      writer.write(line + "\n");
      writer.flush();
      number++;
      last = AuditRecord.hashOf(line);
      broken = false;
    } catch (IOException e) {
      if (!broken) {
        logger.error("audit log not written, requests are refused: file={}", file, e);
      }
      broken = true;
    }
  }

  /// Whether the last line could not be written.
  synchronized boolean isBroken() {
    return broken;
  }

  @Override
  public synchronized void close() {
    logger.info("audit log closed: file={}, lines={}, last={}", file, number, last);
    try {
      writer.close();
    } catch (IOException e) {
      logger.error("audit log not closed: file={}", file, e);
    }
  }

  /// Checks a log from its beginning.
  ///
  /// @throws IOException if it cannot be read
  static Verdict verify(Path file) throws IOException {
    return verify(file, "");
  }

  /// Checks a log from its beginning.
  ///
  /// @param expected hash of a line, noted when it was the last one
  /// @throws IOException if it cannot be read
  public static Verdict verify(Path file, String expected) throws IOException {
    long lines = 0;
    boolean hasExpected = false;
    String last = AuditRecord.BEGINNING;
    try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        Optional<String> problem = problem(line, lines + 1, last);
        if (problem.isPresent()) {
          return new Verdict(
              lines, last, hasExpected, Optional.of(problem.get() + ": line=" + (lines + 1)));
        }
        lines++;
        last = AuditRecord.hashOf(line);
        hasExpected |= last.equals(expected);
      }
    }
    return new Verdict(lines, last, hasExpected, Optional.empty());
  }

  private static Optional<String> problem(String line, long number, String previous)
      throws IOException {
    String body = AuditRecord.body(line);
    if (body.isEmpty()) {
      return Optional.of("not a line of an audit log");
    }
    if (!AuditRecord.hash(body).equals(AuditRecord.hashOf(line))) {
      return Optional.of("the line was changed");
    }
    JsonNode record = JSON.readTree(line);
    if (!record.path("previous").asText().equals(previous)) {
      return Optional.of("the line before was changed, removed or put in");
    }
    return record.path("n").asLong() == number
        ? Optional.empty()
        : Optional.of("the line's number does not follow");
  }
}
