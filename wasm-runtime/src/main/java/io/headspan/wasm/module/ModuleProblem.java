package io.headspan.wasm.module;

/// Why a module was refused.
public enum ModuleProblem {
  /// The bytes are something else.
  NOT_WASM,
  /// A component, or a version of the format that does not exist yet.
  UNSUPPORTED_VERSION,
  /// The bytes end in the middle of a section.
  TRUNCATED,
  /// More bytes than the executor takes.
  TOO_LARGE,
  /// It does not parse or does not validate.
  MALFORMED,
  /// It uses a feature that the executor does not run.
  UNSUPPORTED_FEATURE,
  /// It imports what the executor does not offer, or with another signature.
  FORBIDDEN_IMPORT,
  /// It exports neither `_start` nor the reactor functions.
  NO_ENTRY_POINT,
  /// It has no memory of its own to exchange request and response in.
  NO_MEMORY,
  /// It starts with more memory than a function may have.
  MEMORY_TOO_LARGE,
  /// It is valid but larger in some way than can be compiled or kept.
  TOO_COMPLEX,
  /// Its start function or `_initialize` failed.
  INITIALISATION_FAILED
}
