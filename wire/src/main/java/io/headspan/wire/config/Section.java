package io.headspan.wire.config;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// A mapping inside a structured setting, such as one rule of a list. What nobody asks for is
/// unknown, as with [Settings].
public final class Section {
  private final ConfigNode.Mapping node;
  private final String name;
  private final String origin;
  private final List<String> problems;
  private final TreeSet<String> known = new TreeSet<>();
  private final Map<String, Section> inner = new LinkedHashMap<>();

  Section(ConfigNode.Mapping node, String name, String origin, List<String> problems) {
    this.node = node;
    this.name = name;
    this.origin = origin;
    this.problems = problems;
  }

  /// Any text but a blank one.
  public Optional<String> text(String key) {
    ConfigNode value = find(key);
    if (value instanceof ConfigNode.Scalar scalar) {
      return scalar.text().isBlank() ? Optional.empty() : Optional.of(scalar.text().strip());
    }
    if (value != null) {
      bad(key, value, "one value");
    }
    return Optional.empty();
  }

  /// Texts by key, in the order of the file; empty if there is no such mapping.
  public Map<String, String> texts(String key) {
    Map<String, String> texts = new LinkedHashMap<>();
    ConfigNode value = find(key);
    if (value instanceof ConfigNode.Mapping mapping) {
      mapping
          .members()
          .forEach((each, member) -> {
            if (member instanceof ConfigNode.Scalar scalar) {
              texts.put(each, scalar.text());
            } else {
              bad(key + "." + each, member, "one value");
            }
          });
    } else if (value != null) {
      bad(key, value, "keys and values");
    }
    return texts;
  }

  /// A mapping in this one.
  public Optional<Section> section(String key) {
    ConfigNode value = find(key);
    if (value instanceof ConfigNode.Mapping mapping) {
      return Optional.of(
          inner.computeIfAbsent(
              key, _ -> new Section(mapping, name + "." + key, origin, problems)));
    }
    if (value != null) {
      bad(key, value, "keys and values");
    }
    return Optional.empty();
  }

  /// Notes that the section cannot be as it is.
  public void problem(String problem) {
    problems.add(problem + ": " + name + ", at=" + origin + ":" + node.line());
  }

  void finish() {
    node.members()
        .forEach((key, value) -> {
          if (!known.contains(key)) {
            problems.add(
                "unknown key: %s.%s, at=%s:%d%s"
                    .formatted(name, key, origin, value.line(), Settings.meant(key, known)));
          }
        });
    inner.values().forEach(Section::finish);
  }

  private @Nullable ConfigNode find(String key) {
    known.add(key);
    return node.members().get(key);
  }

  private void bad(String key, ConfigNode value, String wanted) {
    problems.add(
        "bad value: %s.%s, want=%s, at=%s:%d".formatted(name, key, wanted, origin, value.line()));
  }
}
