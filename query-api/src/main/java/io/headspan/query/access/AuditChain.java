package io.headspan.query.access;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// An audit log read from its beginning, up to the first line that is not as it was written.
final class AuditChain {
  /// Far above what the longest line takes.
  private static final int LINE_BYTES = 1 << 20;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final String expected;
  private final List<String> gaps = new ArrayList<>();
  private long lines;
  private long refused;
  private long sizeBytes;
  private String last = AuditLine.BEGINNING;
  private boolean hasExpected;
  private boolean closed;
  private boolean endsWithinLine;
  private byte[] torn = {};
  private Optional<String> problem = Optional.empty();

  private AuditChain(String expected) {
    this.expected = expected;
  }

  /// Reads a log.
  ///
  /// @param expected hash of a line, noted when it was the last one
  static AuditChain read(InputStream log, String expected) throws IOException {
    AuditChain chain = new AuditChain(expected);
    BufferedInputStream in = new BufferedInputStream(log);
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next >= 0 && chain.problem.isEmpty(); next = in.read()) {
      if (next == '\n') {
        chain.add(line.toByteArray(), 1);
        line.reset();
      } else if (line.size() == LINE_BYTES) {
        chain.problem = chain.at("not a line of an audit log");
      } else {
        line.write(next);
      }
    }
    if (chain.problem.isEmpty() && line.size() > 0) {
      chain.end(line.toByteArray());
    }
    return chain;
  }

  /// Bytes without a line's end behind them. Only the line's end is missing of a line that is as it
  /// was written.
  private void end(byte[] bytes) {
    add(bytes, 0);
    endsWithinLine = problem.isEmpty();
    if (!endsWithinLine && mayBeTorn(bytes)) {
      torn = bytes;
      problem = at("cut off after " + bytes.length + " bytes");
    }
  }

  /// Whether an interrupted write can have left this of the next line: its beginning, or nothing
  /// yet of what the file system had made room for.
  private boolean mayBeTorn(byte[] bytes) {
    byte[] beginning = (AuditLine.NUMBER + (lines + 1) + ",").getBytes(UTF_8);
    int common = Math.min(beginning.length, bytes.length);
    return Arrays.equals(beginning, 0, common, bytes, 0, common)
        || Arrays.equals(bytes, new byte[bytes.length]);
  }

  private void add(byte[] bytes, int endBytes) {
    String line = new String(bytes, UTF_8);
    String body = AuditLine.body(line);
    if (body.isEmpty() || !Arrays.equals(line.getBytes(UTF_8), bytes)) {
      problem = at("not a line of an audit log");
      return;
    }
    if (!AuditLine.hash(body).equals(AuditLine.hashOf(line))) {
      problem = at("the line was changed");
      return;
    }
    JsonNode record;
    try {
      record = JSON.readTree(line);
    } catch (JsonProcessingException e) {
      problem = at("not a line of an audit log");
      return;
    }
    if (!record.path("previous").asText().equals(last)) {
      problem = at("the line before was changed, removed or put in");
      return;
    }
    if (record.path("n").asLong() != lines + 1) {
      problem = at("the line's number does not follow");
      return;
    }
    String event = record.path("event").asText();
    if (event.equals(AuditEvent.Kind.UNCLOSED.label())) {
      gaps.add(gap(record));
    } else if (event.equals(AuditEvent.Kind.REFUSED.label())) {
      refused += record.path("requests").asLong();
    }
    closed = event.equals(AuditEvent.Kind.CLOSED.label());
    lines++;
    last = AuditLine.hashOf(line);
    hasExpected |= last.equals(expected);
    sizeBytes += bytes.length + endBytes;
  }

  private String gap(JsonNode record) {
    String torn = record.path("torn").asText();
    return "after line "
        + lines
        + ", before "
        + record.path("time").asText()
        + (torn.isEmpty() ? "" : "; what was left of a line is in " + torn);
  }

  private Optional<String> at(String problem) {
    return Optional.of(problem + ": line=" + (lines + 1));
  }

  AuditLog.Verdict verdict() {
    return new AuditLog.Verdict(lines, last, hasExpected, gaps, refused, problem);
  }

  /// Bytes of the lines that are as they were written.
  long sizeBytes() {
    return sizeBytes;
  }

  /// Whether the end of the last line is missing.
  boolean endsWithinLine() {
    return endsWithinLine;
  }

  /// What is left of a last line that is not whole; empty if there is none.
  byte[] torn() {
    return torn.clone();
  }

  /// Whether the last line says that the log was closed.
  boolean isClosed() {
    return closed;
  }
}
