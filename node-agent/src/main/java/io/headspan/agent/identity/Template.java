package io.headspan.agent.identity;

import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Text with `${name}` in it.
final class Template {
  private static final Pattern REFERENCE = Pattern.compile("\\$\\{([^}]*)}");
  private static final Pattern KNOWN =
      Pattern.compile("(?:label|annotation):.+|namespace|pod|container|unit|executable");

  private Template() {}

  /// Whether all references are to something that there can be.
  static boolean isValid(String template) {
    return REFERENCE
        .matcher(template)
        .results()
        .allMatch(each -> KNOWN.matcher(each.group(1)).matches());
  }

  /// The text with values for its references; empty if one has none.
  static Optional<String> fill(String template, Function<String, @Nullable String> values) {
    Matcher matcher = REFERENCE.matcher(template);
    StringBuilder filled = new StringBuilder();
    while (matcher.find()) {
      String value = values.apply(matcher.group(1));
      if (value == null || value.isBlank()) {
        return Optional.empty();
      }
      matcher.appendReplacement(filled, Matcher.quoteReplacement(value));
    }
    return Optional.of(matcher.appendTail(filled).toString());
  }
}
