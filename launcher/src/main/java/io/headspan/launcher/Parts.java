package io.headspan.launcher;

import java.util.ArrayDeque;
import java.util.Deque;

/// What was started, to be closed in reverse order. Each part is closed even when another fails;
/// the first failure is thrown, the others are attached to it.
public final class Parts implements AutoCloseable {
  private final Deque<AutoCloseable> parts = new ArrayDeque<>();

  /// Adds a part that was just started and returns it.
  public <T extends AutoCloseable> T add(T part) {
    parts.push(part);
    return part;
  }

  @Override
  public void close() {
    LauncherException failure = null;
    while (!parts.isEmpty()) {
      try {
        parts.pop().close();
      } catch (Exception e) {
        LauncherException closing =
            new LauncherException("a part did not close: " + e.getMessage(), e);
        if (failure == null) {
          failure = closing;
        } else {
          failure.addSuppressed(closing);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
