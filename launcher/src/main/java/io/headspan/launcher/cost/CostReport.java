package io.headspan.launcher.cost;

import io.headspan.launcher.cost.PriceModel.InstanceSize;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// What functions cost, grouped, dearest first under the first model.
public final class CostReport {
  private static final double GIB = 1L << 30;

  /// By what costs are grouped.
  public enum Dimension {
    TENANT,
    TEAM,
    FUNCTION,
    VERSION,
    DAY;

    private String of(Usage usage) {
      return switch (this) {
        case TENANT -> usage.tenant();
        case TEAM -> usage.team();
        case FUNCTION -> usage.function();
        case VERSION -> usage.version();
        case DAY -> usage.day().toString();
      };
    }

    private String label() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// @param costs by model, in their order
  private record Group(
      List<String> names,
      long invocations,
      double durationSeconds,
      double cpuSeconds,
      long instanceMinutes,
      long logBytes,
      double[] costs) {}

  private final List<Dimension> dimensions;
  private final List<PriceModel> models;
  private final List<Group> groups;

  public CostReport(
      List<Usage> usage, List<Dimension> dimensions, List<PriceModel> models, InstanceSize size) {
    this.dimensions = List.copyOf(dimensions);
    this.models = List.copyOf(models);
    Map<List<String>, List<Usage>> byNames =
        usage.stream()
            .collect(
                Collectors.groupingBy(
                    one -> dimensions.stream().map(by -> by.of(one)).toList(),
                    LinkedHashMap::new,
                    Collectors.toList()));
    List<Group> all = new ArrayList<>();
    byNames.forEach((names, members) -> all.add(group(names, members, size)));
    all.sort(Comparator.comparingDouble((Group group) -> group.costs()[0]).reversed());
    groups = List.copyOf(all);
  }

  private Group group(List<String> names, List<Usage> usage, InstanceSize size) {
    return new Group(
        names,
        usage.stream().mapToLong(Usage::invocations).sum(),
        usage.stream().mapToDouble(Usage::durationSeconds).sum(),
        usage.stream().mapToDouble(Usage::cpuSeconds).sum(),
        usage.stream().mapToLong(Usage::instanceMinutes).sum(),
        usage.stream().mapToLong(Usage::logBytes).sum(),
        models.stream()
            .mapToDouble(model -> usage.stream().mapToDouble(one -> model.cost(one, size)).sum())
            .toArray());
  }

  /// With a header, as RFC 4180 says, costs to a millionth.
  public String csv() {
    StringBuilder csv = new StringBuilder();
    List<String> header = new ArrayList<>();
    dimensions.forEach(dimension -> header.add(dimension.label()));
    header.addAll(List.of("invocations", "duration_s", "cpu_s", "instance_minutes", "log_bytes"));
    models.forEach(model -> header.add(model.name() + "_" + model.currency()));
    csvLine(csv, header);
    for (Group group : groups) {
      List<String> cells = new ArrayList<>(group.names());
      cells.add(Long.toString(group.invocations()));
      cells.add("%.6f".formatted(group.durationSeconds()));
      cells.add("%.6f".formatted(group.cpuSeconds()));
      cells.add(Long.toString(group.instanceMinutes()));
      cells.add(Long.toString(group.logBytes()));
      for (double cost : group.costs()) {
        cells.add("%.6f".formatted(cost));
      }
      csvLine(csv, cells);
    }
    return csv.toString();
  }

  private static void csvLine(StringBuilder csv, List<String> cells) {
    csv.append(
            cells.stream()
                .map(cell ->
                    cell.matches("[^\",\r\n]*") ? cell : '"' + cell.replace("\"", "\"\"") + '"')
                .collect(Collectors.joining(",")))
        .append("\r\n");
  }

  /// For reading, with a line of sums.
  public String table() {
    List<List<String>> lines = new ArrayList<>();
    List<String> header = new ArrayList<>();
    dimensions.forEach(dimension -> header.add(dimension.label()));
    header.addAll(List.of("invocations", "CPU s", "instance min", "logs GiB"));
    models.forEach(model -> header.add(model.name() + " " + model.currency()));
    lines.add(header);
    groups.forEach(group -> lines.add(cells(group.names(), List.of(group))));
    List<String> all = new ArrayList<>();
    dimensions.forEach(_ -> all.add(all.isEmpty() ? "all" : ""));
    lines.add(cells(all, groups));
    return aligned(lines);
  }

  private List<String> cells(List<String> names, List<Group> summed) {
    List<String> cells = new ArrayList<>();
    names.forEach(name -> cells.add(name.isEmpty() && cells.isEmpty() ? "(none)" : name));
    cells.add("%,d".formatted(summed.stream().mapToLong(Group::invocations).sum()));
    cells.add("%,.1f".formatted(summed.stream().mapToDouble(Group::cpuSeconds).sum()));
    cells.add("%,d".formatted(summed.stream().mapToLong(Group::instanceMinutes).sum()));
    cells.add("%,.3f".formatted(summed.stream().mapToLong(Group::logBytes).sum() / GIB));
    for (int model = 0; model < models.size(); model++) {
      int at = model;
      cells.add("%,.4f".formatted(summed.stream().mapToDouble(group -> group.costs()[at]).sum()));
    }
    return cells;
  }

  private String aligned(List<List<String>> lines) {
    int columns = lines.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> line : lines) {
      for (int column = 0; column < columns; column++) {
        widths[column] = Math.max(widths[column], line.get(column).length());
      }
    }
    StringBuilder table = new StringBuilder();
    for (List<String> line : lines) {
      StringBuilder text = new StringBuilder();
      for (int column = 0; column < columns; column++) {
        String side = column < dimensions.size() ? "-" : "";
        text.append(("%" + side + widths[column] + "s  ").formatted(line.get(column)));
      }
      table.append(text.toString().stripTrailing()).append(System.lineSeparator());
    }
    return table.toString();
  }
}
