package io.headspan.query.access;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.headspan.wire.access.Tokens;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Instant;

/// What a line of the audit log says.
sealed interface AuditLine permits AuditRecord, AuditEvent {
  /// What the first line refers to.
  String BEGINNING = "0".repeat(64);

  /// How every line begins.
  String NUMBER = "{\"n\":";

  String HASH = ",\"hash\":\"";
  String END = "\"}";

  Instant time();

  void write(JsonGenerator json) throws IOException;

  /// The line, which ends with its hash: SHA-256 of all before it, the hash of the line before
  /// included.
  ///
  /// @param number from 1
  /// @param previous hash of the line before, [#BEGINNING] if it is the first
  default String line(long number, String previous) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = Json.FACTORY.createGenerator(text)) {
      json.writeStartObject();
      json.writeNumberField("n", number);
      json.writeStringField("time", time().toString());
      write(json);
      json.writeStringField("previous", previous);
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException("JSON cannot be written to memory", e);
    }
    String body = text.toString().substring(0, text.getBuffer().length() - 1);
    return body + HASH + hash(body) + END;
  }

  /// The hash that a line of this body has.
  static String hash(String body) {
    return Tokens.hash(body);
  }

  /// What a line's hash is of; "" if it is no line of an audit log.
  static String body(String line) {
    int at = line.length() - END.length() - BEGINNING.length() - HASH.length();
    return at > 0 && line.startsWith(HASH, at) && line.endsWith(END) ? line.substring(0, at) : "";
  }

  /// The hash at the end of a line that has a body.
  static String hashOf(String line) {
    return line.substring(
        line.length() - END.length() - BEGINNING.length(), line.length() - END.length());
  }

  /// Shared by all lines.
  final class Json {
    private static final JsonFactory FACTORY = new JsonFactory();

    private Json() {}
  }
}
