package io.headspan.storage;

import java.io.IOException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/// The bytes of an answer are not a Native block that we read.
final class NativeFormatException extends IOException {
  @Serial private static final long serialVersionUID = 1;

  NativeFormatException(String message) {
    super(message);
  }

  NativeFormatException(@Nullable String message, Throwable cause) {
    super(message, cause);
  }
}
