package io.headspan.wire.access;

/// A text that is not for messages and logs.
///
/// @param text what it is; only to be given to whom it is for
public record Secret(String text) {
  /// Says nothing of it.
  @Override
  public String toString() {
    return "***";
  }
}
