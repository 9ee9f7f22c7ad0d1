package io.headspan.query.access;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.time.Instant;
import java.util.Map;

/// What happened to the audit log itself.
///
/// @param fields texts and numbers
record AuditEvent(Instant time, Kind kind, Map<String, Object> fields) implements AuditLine {
  enum Kind {
    /// The log was closed when its last line had been written.
    CLOSED("closed"),

    /// The log was opened again without having been closed: the process was killed, or somebody cut
    /// the end off.
    UNCLOSED("unclosed"),

    /// Requests were refused because their lines could not have been written.
    REFUSED("refused");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    String label() {
      return label;
    }
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStringField("event", kind.label());
    for (Map.Entry<String, Object> field : fields.entrySet()) {
      json.writeObjectField(field.getKey(), field.getValue());
    }
  }
}
