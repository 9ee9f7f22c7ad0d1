package io.headspan.query.access;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.headspan.wire.access.Tokens;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Instant;

/// A line of the audit log: what was asked, by whom, and how it ended.
///
/// @param number from 1
/// @param token name of the token; "" if there was none, or no known one
/// @param remote address of the caller
/// @param query the query string, or what stands for it
record AuditRecord(
    long number,
    Instant time,
    String token,
    String remote,
    String method,
    String path,
    String query,
    String scope,
    int status,
    long millis) {
  private static final JsonFactory FACTORY = new JsonFactory();

  /// What the first line refers to.
  static final String BEGINNING = "0".repeat(64);

  private static final String HASH = ",\"hash\":\"";
  private static final String END = "\"}";

  /// The line, which ends with its hash: SHA-256 of all before it, the hash of the line before
  /// included.
  ///
  /// @param previous hash of the line before, [#BEGINNING] if it is the first
  String line(String previous) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = FACTORY.createGenerator(text)) {
      json.writeStartObject();
      json.writeNumberField("n", number);
      json.writeStringField("time", time.toString());
      json.writeStringField("token", token);
      json.writeStringField("remote", remote);
      json.writeStringField("method", method);
      json.writeStringField("path", path);
      json.writeStringField("query", query);
      json.writeStringField("scope", scope);
      json.writeNumberField("status", status);
      json.writeNumberField("ms", millis);
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
}
