package io.headspan.wasm;

/// The executor could not be started. The message says why and what helps.
public final class ExecutorException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ExecutorException(String message, Throwable cause) {
    super(message, cause);
  }
}
