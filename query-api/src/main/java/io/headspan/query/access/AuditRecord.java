package io.headspan.query.access;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.time.Instant;

/// What was asked, by whom, and how it ended.
///
/// @param token name of the token; "" if there was none, or no known one
/// @param remote address of the caller
/// @param query the query string, or what stands for it
record AuditRecord(
    Instant time,
    String token,
    String remote,
    String method,
    String path,
    String query,
    String scope,
    int status,
    long millis)
    implements AuditLine {
  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("token", token);
    json.writeStringField("remote", remote);
    json.writeStringField("method", method);
    json.writeStringField("path", path);
    json.writeStringField("query", query);
    json.writeStringField("scope", scope);
    json.writeNumberField("status", status);
    json.writeNumberField("ms", millis);
  }
}
