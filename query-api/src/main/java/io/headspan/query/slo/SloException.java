package io.headspan.query.slo;

import java.io.Serial;

/// A file of objectives is not as it must be. The message names every problem with its line.
public final class SloException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  SloException(String message) {
    super(message);
  }
}
