package io.headspan.agent.identity;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.headspan.wire.config.Section;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The operator's own mapping from what an instance is to whose it is. All rules that match are
/// looked at in their order, and for each of tenant, team, function and version the first one that
/// gives it counts.
///
/// A pattern is a glob, `*` being anything within one element of a path and `**` anything at all,
/// or with `~` in front a regular expression (RE2, so that no command line can make it slow). Both
/// have to match the whole text. A given value may hold `${label:KEY}`, `${annotation:KEY}`,
/// `${namespace}`, `${pod}`, `${container}`, `${unit}` and `${executable}`; where such a thing is
/// not there, the rule does not give that value.
public final class IdentityRules {
  /// No rules.
  public static final IdentityRules NONE = new IdentityRules(List.of());

  private final List<Rule> rules;

  private IdentityRules(List<Rule> rules) {
    this.rules = List.copyOf(rules);
  }

  /// What there is to match.
  ///
  /// @param labels of container and pod
  /// @param executable absolute path
  record Subject(
      String cgroup,
      @Nullable String executable,
      @Nullable String commandLine,
      @Nullable String unit,
      @Nullable String container,
      @Nullable String image,
      @Nullable String namespace,
      @Nullable String pod,
      Map<String, String> labels,
      Map<String, String> annotations) {}

  /// What rules give.
  record Given(
      @Nullable String tenant,
      @Nullable String team,
      @Nullable String function,
      @Nullable String version) {}

  private record Rule(
      Map<Field, Pattern> matches,
      Map<String, Pattern> labels,
      Map<String, Pattern> annotations,
      Map<Gives, String> gives) {}

  private enum Field {
    CGROUP("cgroup", true),
    EXECUTABLE("executable", true),
    COMMAND_LINE("command_line", false),
    UNIT("unit", false),
    CONTAINER("container", false),
    IMAGE("image", false),
    NAMESPACE("namespace", false),
    POD("pod", false);

    final String key;
    final boolean isPath;

    Field(String key, boolean isPath) {
      this.key = key;
      this.isPath = isPath;
    }

    @Nullable String of(Subject subject) {
      return switch (this) {
        case CGROUP -> subject.cgroup();
        case EXECUTABLE -> subject.executable();
        case COMMAND_LINE -> subject.commandLine();
        case UNIT -> subject.unit();
        case CONTAINER -> subject.container();
        case IMAGE -> subject.image();
        case NAMESPACE -> subject.namespace();
        case POD -> subject.pod();
      };
    }
  }

  private enum Gives {
    TENANT("tenant"),
    TEAM("team"),
    FUNCTION("function"),
    VERSION("version");

    final String key;

    Gives(String key) {
      this.key = key;
    }
  }

  /// Reads the rules of a configuration; what is wrong with one becomes its section's problem.
  public static IdentityRules of(List<Section> sections) {
    List<Rule> rules = new ArrayList<>();
    for (Section section : sections) {
      rules.add(rule(section));
    }
    return rules.isEmpty() ? NONE : new IdentityRules(rules);
  }

  /// Whether any rule looks at the process itself.
  boolean lookAtProcesses() {
    return rules.stream()
        .anyMatch(rule ->
            rule.matches().containsKey(Field.EXECUTABLE)
                || rule.matches().containsKey(Field.COMMAND_LINE)
                || rule.gives().values().stream().anyMatch(text -> text.contains("${executable}")));
  }

  Given apply(Subject subject) {
    Map<Gives, String> given = new HashMap<>();
    for (Rule rule : rules) {
      if (matches(rule, subject)) {
        rule.gives()
            .forEach((what, template) ->
                fill(template, subject).ifPresent(value -> given.putIfAbsent(what, value)));
      }
    }
    return new Given(
        given.get(Gives.TENANT),
        given.get(Gives.TEAM),
        given.get(Gives.FUNCTION),
        given.get(Gives.VERSION));
  }

  private static Rule rule(Section section) {
    Map<Field, Pattern> matches = new HashMap<>();
    Map<String, Pattern> labels = new HashMap<>();
    Map<String, Pattern> annotations = new HashMap<>();
    Section match = section.section("match").orElse(null);
    if (match != null) {
      for (Field field : Field.values()) {
        match
            .text(field.key)
            .flatMap(text -> pattern(text, field.isPath, field == Field.EXECUTABLE, section))
            .ifPresent(pattern -> matches.put(field, pattern));
      }
      readPatterns(match, "labels", labels, section);
      readPatterns(match, "annotations", annotations, section);
    }
    if (matches.isEmpty() && labels.isEmpty() && annotations.isEmpty()) {
      section.problem("a rule matches on nothing");
    }
    Map<Gives, String> gives = new HashMap<>();
    for (Gives what : Gives.values()) {
      section
          .text(what.key)
          .ifPresent(text -> {
            if (Template.isValid(text)) {
              gives.put(what, text);
            } else {
              section.problem("unknown ${…} in " + what.key + "=" + text);
            }
          });
    }
    if (gives.isEmpty()) {
      section.problem("a rule gives nothing");
    }
    return new Rule(matches, labels, annotations, gives);
  }

  private static void readPatterns(
      Section match, String key, Map<String, Pattern> into, Section problems) {
    match
        .texts(key)
        .forEach((name, text) ->
            pattern(text, false, false, problems).ifPresent(pattern -> into.put(name, pattern)));
  }

  private static Optional<Pattern> pattern(
      String text, boolean isPath, boolean mayBeName, Section problems) {
    try {
      if (text.startsWith("~")) {
        return Optional.of(Pattern.compile(text.substring(1), Pattern.DOTALL));
      }
      String regex = regexOf(text, isPath);
      // An executable's name without its directories is enough.
      boolean isName = mayBeName && text.indexOf('/') < 0;
      return Optional.of(Pattern.compile(isName ? "(?:.*/)?" + regex : regex, Pattern.DOTALL));
    } catch (PatternSyntaxException e) {
      problems.problem("not a regular expression: " + text + " (" + e.getDescription() + ")");
      return Optional.empty();
    }
  }

  private static String regexOf(String glob, boolean isPath) {
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < glob.length(); i++) {
      char c = glob.charAt(i);
      if (c == '*' && i + 1 < glob.length() && glob.charAt(i + 1) == '*') {
        regex.append(".*");
        i++;
      } else if (c == '*') {
        regex.append(isPath ? "[^/]*" : ".*");
      } else if (c == '?') {
        regex.append(isPath ? "[^/]" : ".");
      } else {
        regex.append(Pattern.quote(String.valueOf(c)));
      }
    }
    return regex.toString();
  }

  private static boolean matches(Rule rule, Subject subject) {
    return rule.matches().entrySet().stream()
            .allMatch(match -> matches(match.getValue(), match.getKey().of(subject)))
        && allMatch(rule.labels(), subject.labels())
        && allMatch(rule.annotations(), subject.annotations());
  }

  private static boolean allMatch(Map<String, Pattern> patterns, Map<String, String> values) {
    return patterns.entrySet().stream()
        .allMatch(match -> matches(match.getValue(), values.get(match.getKey())));
  }

  private static boolean matches(Pattern pattern, @Nullable String text) {
    return text != null && pattern.matches(text);
  }

  private static Optional<String> fill(String template, Subject subject) {
    return Template.fill(
        template,
        name -> {
          int colon = name.indexOf(':');
          String key = colon < 0 ? "" : name.substring(colon + 1);
          return switch (colon < 0 ? name : name.substring(0, colon)) {
            case "label" -> subject.labels().get(key);
            case "annotation" -> subject.annotations().get(key);
            case "namespace" -> subject.namespace();
            case "pod" -> subject.pod();
            case "container" -> subject.container();
            case "unit" -> subject.unit();
            default -> subject.executable();
          };
        });
  }
}
