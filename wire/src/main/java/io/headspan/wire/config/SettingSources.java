package io.headspan.wire.config;

import java.util.HashMap;
import java.util.Map;

/// Where settings come from, beside the YAML file that these name.
///
/// @param environment all variables of the process; those of other roles are not looked at
/// @param flags options given on the command line, by the variable that they override
public record SettingSources(Map<String, String> environment, Map<String, Flag> flags) {
  /// An option that was given.
  ///
  /// @param name as it is written, `--listen`
  public record Flag(String name, String value) {}

  public SettingSources {
    environment = Map.copyOf(environment);
    flags = Map.copyOf(flags);
  }

  /// The environment alone.
  public static SettingSources of(Map<String, String> environment) {
    return new SettingSources(environment, Map.of());
  }

  /// These with an option laid over them.
  ///
  /// @param variable the environment variable that the option overrides
  /// @param name the option as it is written, `--listen`
  public SettingSources withFlag(String variable, String name, String value) {
    Map<String, Flag> more = new HashMap<>(flags);
    more.put(variable, new Flag(name, value));
    return new SettingSources(environment, more);
  }

  /// These with a variable that wins over everything of the same name.
  public SettingSources with(String variable, String value) {
    Map<String, String> variables = new HashMap<>(environment);
    variables.put(variable, value);
    Map<String, Flag> fewer = new HashMap<>(flags);
    fewer.remove(variable);
    return new SettingSources(variables, fewer);
  }
}
