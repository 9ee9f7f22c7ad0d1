package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.identity.IdentityRules.Given;
import io.headspan.agent.identity.IdentityRules.Subject;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Random rules against random instances: globs are compared with a matcher that knows nothing of
/// regular expressions, and templates give values that are there or nothing.
/// `-Dheadspan.fuzz.seconds` sets the time.
class IdentityRulesFuzzTest {
  private static final List<String> GLOB =
      List.of("a", "b", "/", "*", "**", "?", ".", "+", "(", "[", "\\\\", "$", "^", "|", "é");
  private static final List<String> TEXT =
      List.of("a", "b", "/", ".", "+", "(", "[", "\\", "$", "^", "|", "é", "\n", "*", "?");
  private static final List<String> TEMPLATE =
      List.of(
          "x",
          "${label:k}",
          "${label:none}",
          "${annotation:k}",
          "${namespace}",
          "${pod}",
          "${executable}",
          "${",
          "}",
          "$",
          "\\\\1",
          "${}",
          "${label:}",
          "${other}");
  private static final String VALUE = "$1\\{v}";

  @Test
  void matchesAsGlobsDoAndFillsInWhatIsThere() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long endNs =
        System.nanoTime() + Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1)).toNanos();
    int matched = 0;
    int refused = 0;
    int given = 0;
    while (System.nanoTime() - endNs < 0) {
      // In front, what keeps it from being a regular expression or nothing.
      String glob = "/" + text(random, GLOB, 8).replace("\\\\", "\\");
      String template = "t" + text(random, TEMPLATE, 4).replace("\\\\", "\\");
      String cgroup = "/" + text(random, TEXT, 8);
      String about =
          "seed=%d, glob=%s, template=%s, cgroup=%s".formatted(seed, glob, template, cgroup);
      String yaml =
          "[{match: {cgroup: '%s', command_line: '**'}, tenant: '%s'}]".formatted(glob, template);
      IdentityRules rules;
      try {
        rules = rules(yaml);
      } catch (IllegalArgumentException e) {
        assertThat(e).as(about).hasMessageContaining("unknown ${…} in tenant=" + template);
        refused++;
        continue;
      }
      Given gives = rules.apply(subject(cgroup));
      if (!isGlob(glob, 0, cgroup, 0)) {
        assertThat(gives).as(about).isEqualTo(new Given(null, null, null, null));
        continue;
      }
      matched++;
      if (template.contains("${label:none}") || template.contains("${pod}")) {
        assertThat(gives.tenant()).as(about).isNull();
      } else {
        String filled =
            template
                .replace("${label:k}", VALUE)
                .replace("${annotation:k}", VALUE)
                .replace("${namespace}", VALUE)
                .replace("${executable}", VALUE);
        assertThat(gives.tenant()).as(about).isEqualTo(filled);
        given++;
      }
    }
    assertThat(matched).isPositive();
    assertThat(refused).isPositive();
    assertThat(given).isPositive();
  }

  /// Whether the rest of a glob is the rest of a text.
  private static boolean isGlob(String glob, int g, String text, int t) {
    if (g == glob.length()) {
      return t == text.length();
    }
    char c = glob.charAt(g);
    if (c == '*') {
      boolean overSlashes = glob.startsWith("**", g);
      int next = g + (overSlashes ? 2 : 1);
      for (int end = t; ; end++) {
        if (isGlob(glob, next, text, end)) {
          return true;
        }
        if (end == text.length() || (!overSlashes && text.charAt(end) == '/')) {
          return false;
        }
      }
    }
    return t < text.length()
        && (c == '?' ? text.charAt(t) != '/' : text.charAt(t) == c)
        && isGlob(glob, g + 1, text, t + 1);
  }

  private static Subject subject(String cgroup) {
    Map<String, String> values = Map.of("k", VALUE);
    return new Subject(cgroup, VALUE, "x\ny", null, null, null, VALUE, null, values, values);
  }

  private static IdentityRules rules(String yaml) {
    Settings settings =
        Settings.of("agent", SettingSources.of(Map.of("HEADSPAN_AGENT_RULES", yaml)));
    IdentityRules rules = IdentityRules.of(settings.sections("rules"));
    settings.finish("the agent", IllegalArgumentException::new);
    return rules;
  }

  private static String text(Random random, List<String> pieces, int most) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(most); i > 0; i--) {
      text.append(pieces.get(random.nextInt(pieces.size())));
    }
    return text.toString();
  }
}
