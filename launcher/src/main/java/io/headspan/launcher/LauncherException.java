package io.headspan.launcher;

/// A role or the demo could not do its work; the message says why and what to do.
public final class LauncherException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public LauncherException(String message) {
    super(message);
  }

  public LauncherException(String message, Throwable cause) {
    super(message, cause);
  }
}
