package io.headspan.wasm.module;

import java.util.Objects;

/// A module was refused. The message says what is wrong with it in words for whoever built it.
public final class ModuleException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ModuleProblem problem;

  public ModuleException(ModuleProblem problem, String message) {
    super(message);
    this.problem = problem;
  }

  public ModuleException(ModuleProblem problem, String message, Throwable cause) {
    super(message, cause);
    this.problem = problem;
  }

  /// Never null here.
  @Override
  public String getMessage() {
    return Objects.requireNonNull(super.getMessage());
  }

  public ModuleProblem problem() {
    return problem;
  }
}
