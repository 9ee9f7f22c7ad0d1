package io.headspan.launcher.cost;

import io.headspan.launcher.cost.PriceModel.InstanceSize;
import io.headspan.wire.config.Section;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Collectors;

/// Price models and budgets, read from YAML (docs/cost.md).
///
/// @param models in the order of the file
public record PriceTable(InstanceSize size, List<PriceModel> models, List<Budget> budgets) {
  private static final String OWN_MODELS = "models.yaml";
  private static final int DEFAULT_MEMORY_MIB = 128;
  private static final int MEMORY_MAX_MIB = 1 << 20;
  private static final double VCPUS_MAX = 4096;
  private static final double DEFAULT_SPIKE = 3;
  private static final long MIB = 1 << 20;

  public PriceTable {
    models = List.copyOf(models);
    budgets = List.copyOf(budgets);
  }

  /// The models that come with Headspan: published list prices, without free tiers and discounts.
  public static PriceTable builtIn() {
    return read(SettingSources.of(Map.of("HEADSPAN_COST_MODELS", ownModels())));
  }

  /// Reads a file. If it has no models of its own, those that come with Headspan count.
  ///
  /// @throws PriceException telling everything that is wrong with it
  public static PriceTable read(Path file) {
    return read(SettingSources.of(Map.of("HEADSPAN_COST_CONFIG", file.toString())));
  }

  /// The model of a name.
  ///
  /// @throws PriceException with the names that there are
  public PriceModel model(String name) {
    return find(models, name)
        .orElseThrow(
            () -> new PriceException("no such price model: " + name + ", known=" + names(models)));
  }

  private static PriceTable read(SettingSources sources) {
    Settings settings = Settings.of("cost", sources);
    long memory = settings.number("memory_mib", DEFAULT_MEMORY_MIB, 1, MEMORY_MAX_MIB) * MIB;
    double vcpus = settings.decimal("vcpus", 1, 0, VCPUS_MAX);
    List<PriceModel> models = new ArrayList<>();
    for (Section section : settings.sections("models")) {
      model(section).ifPresent(model -> add(models, model, section));
    }
    if (models.isEmpty() && !sources.environment().containsKey("HEADSPAN_COST_MODELS")) {
      models.addAll(builtIn().models());
    }
    List<Budget> budgets = new ArrayList<>();
    for (Section section : settings.sections("budgets")) {
      budget(section, models).ifPresent(budgets::add);
    }
    settings.finish("the price table", PriceException::new);
    return new PriceTable(new InstanceSize(memory, vcpus), models, budgets);
  }

  private static void add(List<PriceModel> models, PriceModel model, Section section) {
    if (find(models, model.name()).isPresent()) {
      section.problem("two models of one name: " + model.name());
    }
    models.add(model);
  }

  private static Optional<PriceModel> model(Section section) {
    Optional<String> name = section.text("name");
    if (name.isEmpty()) {
      section.problem("name missing");
    }
    String roundUp = section.text("round_up").orElse("1ms");
    if (!List.of("1ms", "100ms").contains(roundUp)) {
      section.problem("bad value: round_up=" + roundUp + ", want=1ms or 100ms");
    }
    PriceModel model =
        new PriceModel(
            name.orElse(""),
            section.text("currency").orElse("USD"),
            price(section, "per_million_requests"),
            price(section, "per_gb_second"),
            "100ms".equals(roundUp) ? 100 : 1,
            price(section, "per_million_cpu_ms"),
            price(section, "per_instance_second"),
            price(section, "per_vcpu_second"),
            price(section, "per_gb_instance_second"),
            price(section, "per_log_gb"));
    return name.map(_ -> model);
  }

  private static Optional<Budget> budget(Section section, List<PriceModel> models) {
    Optional<String> team = section.text("team");
    Optional<String> model = section.text("model");
    OptionalDouble month = number(section, "month");
    double spike = number(section, "spike").orElse(DEFAULT_SPIKE);
    if (team.isEmpty() || model.isEmpty() || month.isEmpty()) {
      section.problem("a budget needs team, model and month");
      return Optional.empty();
    }
    if (find(models, model.get()).isEmpty()) {
      section.problem("no such price model: " + model.get() + ", known=" + names(models));
    }
    return Optional.of(new Budget(team.get(), month.getAsDouble(), model.get(), spike));
  }

  private static double price(Section section, String key) {
    return number(section, key).orElse(0);
  }

  /// A number that is not negative.
  private static OptionalDouble number(Section section, String key) {
    Optional<String> text = section.text(key);
    if (text.isEmpty()) {
      return OptionalDouble.empty();
    }
    try {
      double number = Double.parseDouble(text.get());
      if (Double.isFinite(number) && number >= 0) {
        return OptionalDouble.of(number);
      }
    } catch (NumberFormatException e) {
      section.problem("bad value: " + key + "=" + text.get() + ", want=a number");
      return OptionalDouble.empty();
    }
    section.problem(
        "bad value: " + key + "=" + text.get() + ", want=a number that is not negative");
    return OptionalDouble.empty();
  }

  private static Optional<PriceModel> find(List<PriceModel> models, String name) {
    return models.stream().filter(model -> model.name().equals(name)).findFirst();
  }

  private static String names(List<PriceModel> models) {
    return models.stream().map(PriceModel::name).collect(Collectors.joining(","));
  }

  private static String ownModels() {
    try (InputStream stream = PriceTable.class.getResourceAsStream(OWN_MODELS)) {
      return new String(
          Objects.requireNonNull(stream, "no resource " + OWN_MODELS).readAllBytes(),
          StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the price models of this program", e);
    }
  }
}
