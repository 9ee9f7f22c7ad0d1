package io.headspan.collector.sampling;

import java.io.Serial;

/// Policies that cannot be read, or not be applied.
public final class SamplingException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  SamplingException(String message) {
    super(message);
  }

  SamplingException(String message, Throwable cause) {
    super(message, cause);
  }
}
