package io.headspan.wasm.engine;

import java.util.Objects;

/// The guest does not go on. Has no stack trace: it says what a guest did, not where the host is.
public abstract sealed class GuestStop extends RuntimeException permits GuestTrap, GuestExit {
  private static final long serialVersionUID = 1L;

  GuestStop(String message) {
    super(message, null, false, false);
  }

  /// Never null here.
  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage());
  }
}
