package io.headspan.query.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/// Writes JSON answers field by field, so that an answer holds exactly the fields written here.
public final class Json {
  private static final JsonFactory FACTORY = new JsonFactory();

  /// Writes one value.
  @FunctionalInterface
  public interface Writer {
    void write(JsonGenerator json) throws IOException;
  }

  private Json() {}

  /// A 200 with the value that `writer` writes.
  public static HttpResponse response(Writer writer) {
    return response(HttpStatus.OK, writer);
  }

  /// An answer with the value that `writer` writes.
  public static HttpResponse response(HttpStatus status, Writer writer) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
    try (JsonGenerator json = FACTORY.createGenerator(bytes)) {
      writer.write(json);
    } catch (IOException e) {
      throw new UncheckedIOException("JSON cannot be written to memory", e);
    }
    return HttpResponse.of(status, MediaType.JSON, bytes.toByteArray());
  }
}
