package io.headspan.launcher;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The option of every role that names its configuration file.
final class ConfigOption {
  static final String NAME = "--config";

  @Option(
      names = NAME,
      paramLabel = "FILE",
      description =
          "YAML file with settings; the environment and options win over it (HEADSPAN_<ROLE>_CONFIG).")
  private @Nullable String file;

  /// Null if not given.
  @Nullable String file() {
    return file;
  }
}
