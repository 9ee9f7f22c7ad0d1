package io.headspan.query.slo;

import io.headspan.wire.config.Section;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The objectives of a file.
///
/// @param windowDays the time that they are promised for
public record Objectives(int windowDays, List<Objective> list) {
  private static final int WINDOW_DAYS = 30;
  private static final int WINDOW_DAYS_MIN = 7;
  private static final int WINDOW_DAYS_MAX = 90;
  private static final int NAME_CHARS_MAX = 60;

  private static final Pattern DURATION = Pattern.compile("(?<amount>[0-9]{1,9})(?<unit>ms|s|m)");
  private static final Pattern PERCENTAGE =
      Pattern.compile("(?<number>[0-9]{1,2}(\\.[0-9]{1,6})?) ?%?");

  public Objectives {
    list = List.copyOf(list);
  }

  /// Reads a file.
  ///
  /// @throws SloException if anything is wrong with it
  public static Objectives read(Path file) {
    Settings settings =
        Settings.of("slo", SettingSources.of(Map.of("HEADSPAN_SLO_CONFIG", file.toString())));
    int windowDays = settings.number("window_days", WINDOW_DAYS, WINDOW_DAYS_MIN, WINDOW_DAYS_MAX);
    List<Objective> objectives = new ArrayList<>();
    Set<String> names = new HashSet<>();
    List<Section> sections = settings.sections("slos");
    for (Section section : sections) {
      read(section, names, objectives);
    }
    if (sections.isEmpty()) {
      settings.problem("slos", "no objective; give a list of them");
    }
    settings.finish("the objectives file", SloException::new);
    return new Objectives(windowDays, objectives);
  }

  private static void read(Section section, Set<String> names, List<Objective> objectives) {
    String name = section.text("name").orElse("");
    String function = section.text("function").orElse("");
    String tenant = section.text("tenant").orElse("");
    if (name.isEmpty() || name.length() > NAME_CHARS_MAX || !names.add(name)) {
      section.problem(
          "needs a name of its own, of at most " + NAME_CHARS_MAX + " characters: name=" + name);
    }
    if (function.isEmpty()) {
      section.problem("needs a function: name=" + name);
    }
    Optional<Section> latency = section.section("latency");
    Optional<Section> errors = section.section("errors");
    if (latency.isEmpty() && errors.isEmpty()) {
      section.problem("needs latency, errors or both: name=" + name);
    }
    latency.ifPresent(of -> {
      long withinNs = durationNs(of);
      objectives.add(
          new Objective(name, Objective.Kind.LATENCY, function, tenant, withinNs, good(of)));
    });
    errors.ifPresent(of ->
        objectives.add(new Objective(name, Objective.Kind.ERRORS, function, tenant, 0, good(of))));
  }

  private static long durationNs(Section section) {
    String text = section.text("within").orElse("");
    Matcher matcher = DURATION.matcher(text);
    long amount = matcher.matches() ? Long.parseLong(matcher.group("amount")) : 0;
    if (amount == 0) {
      section.problem("not a duration: within=" + text + ", want=300ms, 2s, 1m");
      return 1;
    }
    return amount
        * switch (matcher.group("unit")) {
          case "ms" -> 1_000_000L;
          case "s" -> 1_000_000_000L;
          default -> 60_000_000_000L;
        };
  }

  private static double good(Section section) {
    String text = section.text("objective").orElse("");
    Matcher matcher = PERCENTAGE.matcher(text);
    if (matcher.matches()) {
      BigDecimal percent = new BigDecimal(matcher.group("number"));
      if (percent.signum() > 0) {
        return percent.movePointLeft(2).doubleValue();
      }
    }
    section.problem("not a percentage below 100: objective=" + text + ", want=99, 99.9");
    return 0.5;
  }
}
