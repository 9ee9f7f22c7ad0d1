package io.headspan.query.traceql;

import java.util.List;
import java.util.Random;

/// Random metrics queries over the spans of [io.headspan.query.RandomTraces].
final class RandomMetrics {
  private static final List<String> KEYS =
      List.of(
          "name",
          "resource.service.name",
          "kind",
          "status",
          "span.n",
          "rootName",
          "rootServiceName",
          "span.nosuch",
          ".n",
          "nestedSetParent",
          "span:childCount",
          "parent.span.n",
          "parent.resource.service.name",
          "event.attempt");
  private static final List<String> FIELDS =
      List.of(
          "duration",
          "span.n",
          "span.n",
          "span.nosuch",
          "nestedSetRight",
          "parent.span.n",
          "event.attempt");
  private static final List<String> COMPARISONS = List.of(">", ">=", "<", "<=", "=", "!=");

  private final Random random;
  private final RandomSearches searches;
  private final long startNs;

  /// @param startNs when the spans begin
  RandomMetrics(long seed, long startNs) {
    this.startNs = startNs;
    random = new Random(seed);
    searches = new RandomSearches(seed);
  }

  String next() {
    return switch (random.nextInt(10)) {
      case 8, 9 -> searches.next() + " | " + compare();
      case 0 -> searches.next() + " | quantile_over_time(" + field() + ", .5, 0, .9, 1)" + by();
      case 1 -> exact() + second();
      case 2, 3 ->
          "("
              + exact()
              + second()
              + ") "
              + one(List.of("+", "-", "*", "/"))
              + " ("
              + exact()
              + ")"
              + second();
      case 4 -> "(" + exact() + ") " + one(List.of("+", "-", "*", "/")) + " " + random.nextInt(4);
      case 5 -> random.nextInt(4) + one(List.of(" + ", " - ", " * ", " / ")) + "(" + exact() + ")";
      default -> exact() + second();
    };
  }

  /// What both sides calculate to the last digit but one.
  private String exact() {
    String function =
        switch (random.nextInt(8)) {
          case 0, 1 -> "rate()";
          case 2, 3 -> "count_over_time()";
          case 4 -> "histogram_over_time(" + field() + ")";
          default -> one(List.of("min", "max", "avg", "sum")) + "_over_time(" + field() + ")";
        };
    return searches.next() + " | " + function + by();
  }

  /// Within the first minute, if it says when.
  private String compare() {
    String top = ", " + (1 + random.nextInt(4));
    String times =
        random.nextBoolean()
            ? ""
            : ", "
                + (startNs + random.nextLong(30_000_000_000L))
                + ", "
                + (startNs + 30_000_000_000L + random.nextLong(30_000_000_000L));
    return "compare(" + searches.filter() + (random.nextInt(4) == 0 ? "" : top + times) + ")";
  }

  private String field() {
    return one(FIELDS);
  }

  private String by() {
    return switch (random.nextInt(4)) {
      case 0 -> "";
      case 1 -> " by (" + one(KEYS) + ")";
      default -> " by (" + one(KEYS) + ", " + one(KEYS) + ")";
    };
  }

  private String second() {
    String rank = one(List.of("topk", "bottomk")) + "(" + (1 + random.nextInt(4)) + ")";
    String comparison = " " + one(COMPARISONS) + " " + random.nextInt(4);
    return switch (random.nextInt(5)) {
      case 0, 1 -> "";
      case 2 -> " | " + rank;
      case 3 -> comparison;
      default -> " | " + rank + comparison;
    };
  }

  private String one(List<String> of) {
    return of.get(random.nextInt(of.size()));
  }
}
