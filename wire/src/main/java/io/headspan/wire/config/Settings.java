package io.headspan.wire.config;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Reads the settings of one application. A setting has a key, such as `batch_age` of the agent. It
/// is that in the YAML file, and `HEADSPAN_AGENT_BATCH_AGE` in the environment. The file is the one
/// that `HEADSPAN_AGENT_CONFIG` names, if any. What the command line gives wins, then the
/// environment, then the file, then the default; a blank value is none.
///
/// Nothing is thrown while settings are read. [#finish] tells all that is wrong at once, each
/// problem with where it is: a key that no method was asked for is unknown.
///
/// For one thread.
public final class Settings {
  /// The key of the file itself, which cannot be set in it.
  private static final String CONFIG = "config";

  private static final long FILE_BYTES_MAX = 1 << 20;
  private static final Pattern DURATION = Pattern.compile("(?<amount>[0-9]{1,9})(?<unit>ms|s|m|h)");
  private static final String DURATION_WANTED = "a number and ms, s, m or h";

  private final String prefix;
  private final SettingSources sources;
  private final String fileName;
  private final Map<String, ConfigNode> file;

  /// Variables that do not follow from their keys, by key.
  private final Map<String, String> sharedVariables = new HashMap<>();

  private final TreeSet<String> known = new TreeSet<>();
  private final List<Section> sections = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();

  /// A value, the name it was given by, and the file it stands in, "" if it does not.
  private record Found(ConfigNode node, String name, String origin) {
    String at() {
      return origin.isEmpty() ? "" : ", at=" + origin + ":" + node.line();
    }
  }

  /// Begins to read.
  ///
  /// @param role as in `HEADSPAN_<ROLE>_*`, in lower case
  public static Settings of(String role, SettingSources sources) {
    return new Settings("HEADSPAN_" + role.toUpperCase(Locale.ROOT) + "_", sources);
  }

  private Settings(String prefix, SettingSources sources) {
    this.prefix = prefix;
    this.sources = sources;
    Found path = outsideFile(CONFIG);
    fileName = path == null ? "" : textOf(path);
    file = fileName.isEmpty() ? Map.of() : readFile(fileName);
  }

  /// Says that a key's variable is not `HEADSPAN_<ROLE>_<KEY>`, because several roles share it.
  public void share(String key, String variable) {
    sharedVariables.put(key, variable);
  }

  /// Any text.
  public Optional<String> text(String key) {
    Found found = find(key);
    if (found == null) {
      return Optional.empty();
    }
    if (found.node() instanceof ConfigNode.Scalar scalar) {
      return Optional.of(scalar.text());
    }
    problems.add("bad value: " + found.name() + ", want=one value" + found.at());
    return Optional.empty();
  }

  /// Something that `parse` reads from text.
  ///
  /// @param parse gives null for what it does not take
  /// @param wanted what it takes, for whoever wrote something else
  public <T> T value(String key, T byDefault, Function<String, @Nullable T> parse, String wanted) {
    Found found = find(key);
    if (found == null) {
      return byDefault;
    }
    T value = found.node() instanceof ConfigNode.Scalar scalar ? parse.apply(scalar.text()) : null;
    if (value == null) {
      bad(found, wanted);
      return byDefault;
    }
    return value;
  }

  /// Something that `parse` reads from text, saying itself what is wrong with it, so that a secret
  /// in it is not told.
  ///
  /// @param parse throws IllegalArgumentException for what it does not take
  public <T> T parsed(String key, T byDefault, Function<String, T> parse) {
    Found found = find(key);
    if (found == null) {
      return byDefault;
    }
    try {
      return parse.apply(textOf(found));
    } catch (IllegalArgumentException e) {
      problems.add("bad value: " + found.name() + ": " + e.getMessage() + found.at());
      return byDefault;
    }
  }

  public HostPort hostPort(String key, HostPort byDefault) {
    return value(key, byDefault, HostPort::parse, "host:port");
  }

  /// A duration, possibly none at all.
  public Duration duration(String key, Duration byDefault) {
    return value(key, byDefault, Settings::parseDuration, DURATION_WANTED);
  }

  /// A duration of at least a millisecond.
  public Duration positiveDuration(String key, Duration byDefault) {
    return value(
        key,
        byDefault,
        text -> {
          Duration duration = parseDuration(text);
          return duration == null || duration.isZero() ? null : duration;
        },
        DURATION_WANTED + ", more than 0");
  }

  /// A whole number.
  public int number(String key, int byDefault, int min, int max) {
    return value(key, byDefault, text -> parseNumber(text, min, max), min + " to " + max);
  }

  /// A number with or without a fraction.
  public double decimal(String key, double byDefault, double min, double max) {
    return value(
        key,
        byDefault,
        text -> {
          if (!text.matches("[0-9]{1,9}(\\.[0-9]{1,9})?")) {
            return null;
          }
          double number = Double.parseDouble(text);
          return number < min || number > max ? null : number;
        },
        min + " to " + max);
  }

  public boolean flag(String key, boolean byDefault) {
    return value(
        key,
        byDefault,
        text ->
            switch (text) {
              case "true" -> true;
              case "false" -> false;
              default -> null;
            },
        "true or false");
  }

  /// An absolute path.
  public Path absolutePath(String key, Path byDefault) {
    return value(
        key,
        byDefault,
        text -> text.startsWith("/") && text.indexOf('\0') < 0 ? Path.of(text) : null,
        "an absolute path");
  }

  /// A list: in YAML a sequence, or like everywhere else a text with commas.
  ///
  /// @param parse of one item, gives null for what it does not take
  public <T> List<T> list(
      String key, List<T> byDefault, Function<String, @Nullable T> parse, String wanted) {
    Found found = find(key);
    if (found == null) {
      return byDefault;
    }
    List<T> items = new ArrayList<>();
    for (String text : texts(found.node())) {
      T item = parse.apply(text);
      if (item == null) {
        bad(found, wanted);
        return byDefault;
      }
      items.add(item);
    }
    return List.copyOf(items);
  }

  /// Whole numbers, without order.
  public Set<Integer> numbers(String key, Set<Integer> byDefault, int min, int max) {
    return Set.copyOf(
        list(
            key,
            List.copyOf(byDefault),
            text -> parseNumber(text, min, max),
            min + " to " + max + ", comma separated"));
  }

  /// A list of mappings. In a variable it is written as YAML too.
  public List<Section> sections(String key) {
    Found found = find(key);
    if (found == null) {
      return List.of();
    }
    ConfigNode node = found.node();
    String origin = found.origin();
    if (origin.isEmpty()) {
      origin = found.name();
      node = YamlText.read(textOf(found), origin, problems);
      if (node == null) {
        return List.of();
      }
    }
    List<Section> read = new ArrayList<>();
    if (node instanceof ConfigNode.Sequence sequence) {
      for (ConfigNode item : sequence.items()) {
        if (item instanceof ConfigNode.Mapping mapping) {
          read.add(new Section(mapping, key, origin, problems));
        } else {
          problems.add("bad value: " + key + ", want=mappings, at=" + origin + ":" + item.line());
        }
      }
    } else {
      problems.add("bad value: " + key + ", want=a list, at=" + origin + ":" + node.line());
    }
    sections.addAll(read);
    return read;
  }

  /// Notes that a setting cannot be as it is, for a reason that only the application knows.
  public void problem(String key, String problem) {
    Found found = find(key);
    problems.add(
        found == null
            ? problem + ": " + variable(key)
            : problem + ": " + found.name() + "=" + written(found) + found.at());
  }

  /// The same for a setting whose value must not be told.
  public void secretProblem(String key, String problem) {
    Found found = find(key);
    problems.add(problem + ": " + (found == null ? variable(key) : found.name() + found.at()));
  }

  /// The environment variable of a key, for messages and help.
  public String variable(String key) {
    return sharedVariables.getOrDefault(key, prefix + key.toUpperCase(Locale.ROOT));
  }

  /// Ends reading.
  ///
  /// @param subject whose settings these are, `the agent`
  /// @param asException what to throw with the message
  public void finish(String subject, Function<String, ? extends RuntimeException> asException) {
    findUnknown();
    if (!problems.isEmpty()) {
      throw asException.apply(subject + "'s settings are wrong: " + String.join("; ", problems));
    }
  }

  private void findUnknown() {
    TreeSet<String> knownVariables = new TreeSet<>();
    known.forEach(key -> knownVariables.add(variable(key)));
    for (String variable : new TreeSet<>(sources.environment().keySet())) {
      if (variable.startsWith(prefix) && !knownVariables.contains(variable)) {
        problems.add("unknown key: " + variable + meant(variable, knownVariables));
      }
    }
    TreeSet<String> knownInFile = new TreeSet<>(known);
    knownInFile.remove(CONFIG);
    file.forEach((key, node) -> {
      if (!knownInFile.contains(key)) {
        problems.add(
            "unknown key: "
                + key
                + ", at="
                + fileName
                + ":"
                + node.line()
                + meant(key, knownInFile));
      }
    });
    sections.forEach(Section::finish);
  }

  static String meant(String text, Collection<String> known) {
    return Spelling.nearest(text, known)
        .map(key -> ", did you mean " + key + "?")
        .orElse(", known=" + known);
  }

  private Map<String, ConfigNode> readFile(String name) {
    String text;
    try {
      Path path = Path.of(name);
      if (Files.size(path) > FILE_BYTES_MAX) {
        problems.add("configuration file too large: file=" + name + ", max=1 MiB");
        return Map.of();
      }
      text = Files.readString(path);
    } catch (NoSuchFileException e) {
      problems.add("no such configuration file: file=" + name);
      return Map.of();
    } catch (CharacterCodingException e) {
      problems.add("configuration file is not UTF-8: file=" + name);
      return Map.of();
    } catch (IOException | InvalidPathException e) {
      problems.add("configuration file cannot be read: file=" + name + ", " + e);
      return Map.of();
    }
    ConfigNode root = YamlText.read(text, name, problems);
    return switch (root) {
      case null -> Map.of();
      case ConfigNode.Mapping mapping -> mapping.members();
      case ConfigNode.Scalar scalar when scalar.text().isEmpty() -> Map.of();
      case ConfigNode.Scalar scalar -> notKeys(name, scalar);
      case ConfigNode.Sequence sequence -> notKeys(name, sequence);
    };
  }

  private Map<String, ConfigNode> notKeys(String name, ConfigNode root) {
    problems.add("not keys and values: at=" + name + ":" + root.line());
    return Map.of();
  }

  private @Nullable Found find(String key) {
    Found found = outsideFile(key);
    if (found != null) {
      return found;
    }
    ConfigNode node = file.get(key);
    boolean isBlank = node instanceof ConfigNode.Scalar scalar && scalar.text().isBlank();
    return node == null || isBlank ? null : new Found(node, key, fileName);
  }

  private @Nullable Found outsideFile(String key) {
    known.add(key);
    String variable = variable(key);
    SettingSources.Flag flag = sources.flags().get(variable);
    String name = flag == null ? variable : flag.name();
    String text = flag == null ? sources.environment().get(variable) : flag.value();
    return text == null || text.isBlank()
        ? null
        : new Found(new ConfigNode.Scalar(text.strip(), 0), name, "");
  }

  private void bad(Found found, String wanted) {
    problems.add(
        "bad value: " + found.name() + "=" + written(found) + ", want=" + wanted + found.at());
  }

  private static String written(Found found) {
    return found.node() instanceof ConfigNode.Scalar scalar
        ? scalar.text()
        : texts(found.node()).toString();
  }

  private static String textOf(Found found) {
    return found.node() instanceof ConfigNode.Scalar scalar ? scalar.text() : "";
  }

  /// The items of a list; what is no text among them is given as "", which nothing takes.
  static List<String> texts(ConfigNode node) {
    return switch (node) {
      case ConfigNode.Scalar scalar ->
          Arrays.stream(scalar.text().split(",", -1))
              .map(String::strip)
              .filter(item -> !item.isEmpty())
              .toList();
      case ConfigNode.Sequence sequence ->
          sequence.items().stream()
              .map(item -> item instanceof ConfigNode.Scalar scalar ? scalar.text() : "")
              .toList();
      case ConfigNode.Mapping _ -> List.of("");
    };
  }

  /// Reads `10s`, `500ms`, `1m` or `2h`; null if the text is something else.
  public static @Nullable Duration parseDuration(String text) {
    Matcher matcher = DURATION.matcher(text);
    if (!matcher.matches()) {
      return null;
    }
    long amount = Long.parseLong(requireNonNull(matcher.group("amount")));
    return switch (requireNonNull(matcher.group("unit"))) {
      case "ms" -> Duration.ofMillis(amount);
      case "s" -> Duration.ofSeconds(amount);
      case "m" -> Duration.ofMinutes(amount);
      default -> Duration.ofHours(amount);
    };
  }

  private static @Nullable Integer parseNumber(String text, int min, int max) {
    if (!text.matches("[0-9]{1,9}")) {
      return null;
    }
    int number = Integer.parseInt(text);
    return number < min || number > max ? null : number;
  }
}
