package io.headspan.wasm;

import java.util.regex.Pattern;

/// The name that a function is deployed and called by.
public record FunctionName(String tenant, String name) {
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");

  /// @throws DeployException `BAD_NAME`
  public FunctionName {
    check("tenant", tenant);
    check("function", name);
  }

  /// The path that the function is reached at.
  public String path() {
    return "/functions/" + tenant + "/" + name;
  }

  static boolean isPart(String text) {
    return PART.matcher(text).matches();
  }

  private static void check(String what, String text) {
    if (!isPart(text)) {
      throw new DeployException(
          DeployException.Kind.BAD_NAME,
          "not a "
              + what
              + " name: name="
              + text
              + "; use 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit");
    }
  }

  @Override
  public String toString() {
    return tenant + "/" + name;
  }
}
