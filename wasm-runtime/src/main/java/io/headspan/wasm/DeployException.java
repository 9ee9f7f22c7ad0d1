package io.headspan.wasm;

import java.util.Objects;

/// A deployment was refused for another reason than the module itself, which is a
/// [io.headspan.wasm.module.ModuleException].
public final class DeployException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /// Why.
  public enum Kind {
    /// A tenant, function or version name that cannot be one.
    BAD_NAME,
    /// A limit that the executor does not allow, or that is no number.
    BAD_LIMIT,
    /// As many functions as the executor takes are deployed.
    TOO_MANY_FUNCTIONS,
    /// Too many deployments are going on, or the executor is stopping; try again.
    BUSY
  }

  private final Kind kind;

  public DeployException(Kind kind, String message) {
    super(message);
    this.kind = kind;
  }

  /// Never null here.
  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage());
  }

  public Kind kind() {
    return kind;
  }
}
