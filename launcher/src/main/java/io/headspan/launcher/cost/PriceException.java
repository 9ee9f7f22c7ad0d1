package io.headspan.launcher.cost;

/// A price table cannot be read, or has no such model; the message says everything that is wrong.
public final class PriceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public PriceException(String message) {
    super(message);
  }
}
