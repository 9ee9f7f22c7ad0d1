package io.headspan.query.traceql;

import java.util.List;
import java.util.Random;

/// Random searches over the spans of [RandomTraces]: operators between spansets, pipelines, groups
/// and aggregates.
final class RandomSearches {
  private static final List<String> FILTERS =
      List.of(
          "{}",
          "{ name = `a` }",
          "{ name = `b` }",
          "{ name =~ `a|c` }",
          "{ span.n > 3 }",
          "{ span.n <= 2 }",
          "{ status = error }",
          "{ resource.service.name = `s1` }",
          "{ resource.service.name != `s1` && kind = server }",
          "{ parent.span.n > 2 }",
          "{ parent.resource.service.name = `s1` && span.n < 4 }",
          "{ parent.span.n = nil || name = `a` }",
          "{ !(parent.n >= 3) }",
          "{ span.n >= parent.span.n }",
          "{ parent = nil }",
          "{ nestedSetParent < 0 }",
          "{ nestedSetLeft > 3 }",
          "{ nestedSetRight <= 8 }",
          "{ nestedSetRight - nestedSetLeft > 1 }",
          "{ span:childCount > 1 || status = error }",
          "{ event.attempt + 1 > 3 }",
          "{ event.attempt * span.n >= 4 }");
  private static final List<String> OPERATORS =
      List.of(
          ">", "<", ">>", "<<", "~", "!>", "!<", "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~",
          "&&", "||");
  private static final List<String> KEYS =
      List.of(
          "name",
          "resource.service.name",
          "kind",
          "span.n",
          "status",
          "nestedSetParent",
          "parent.span.n",
          "parent.resource.service.name",
          "span:childCount",
          "event.attempt");
  private static final List<String> NUMBERS =
      List.of(
          "count()",
          "avg(span.n)",
          "max(span.n)",
          "min(duration)",
          "max(duration)",
          "sum(span.n)",
          "count() * 2",
          "max(span.n) - min(span.n)",
          "sum(span.n) / count()",
          "max(nestedSetRight)",
          "sum(parent.span.n)",
          "min(nestedSetParent)",
          "max(event.attempt)");
  private static final List<String> COMPARISONS = List.of(">", ">=", "<", "<=", "=", "!=");

  private final Random random;

  RandomSearches(long seed) {
    random = new Random(seed);
  }

  String next() {
    StringBuilder query = new StringBuilder(spanset(2));
    for (int stages = random.nextInt(4); stages > 0; stages--) {
      query.append(" | ").append(stage());
    }
    return query.toString();
  }

  String filter() {
    return one(FILTERS);
  }

  private String spanset(int depth) {
    if (depth == 0 || random.nextInt(4) == 0) {
      return one(FILTERS);
    }
    return switch (random.nextInt(6)) {
      case 0 -> "(" + spanset(depth - 1) + " | " + comparison() + ")";
      case 1 ->
          "(" + spanset(depth - 1) + " | by(" + one(KEYS) + ") | " + ofGroups(depth - 1) + ")";
      default -> "(" + spanset(depth - 1) + " " + one(OPERATORS) + " " + spanset(depth - 1) + ")";
    };
  }

  private String ofGroups(int depth) {
    return switch (random.nextInt(4)) {
      case 0 -> spanset(depth);
      case 1 -> comparisonOfPipelines();
      case 2 -> comparison() + " | by(" + one(KEYS) + ") | " + comparison();
      default -> comparison();
    };
  }

  private String stage() {
    return switch (random.nextInt(8)) {
      case 0, 1 -> one(FILTERS);
      case 2 -> "by(" + one(KEYS) + ")";
      case 3 -> "coalesce()";
      case 4 -> "select(span.n)";
      case 5 -> comparisonOfPipelines();
      default -> comparison();
    };
  }

  private String comparisonOfPipelines() {
    return "("
        + one(FILTERS)
        + " | count()) "
        + one(COMPARISONS)
        + " ("
        + one(FILTERS)
        + " | count())";
  }

  private String comparison() {
    String left = one(NUMBERS);
    String right =
        switch (random.nextInt(5)) {
          case 0 -> one(NUMBERS);
          default -> left.contains("duration") ? "20ms" : Integer.toString(random.nextInt(6));
        };
    return left + " " + one(COMPARISONS) + " " + right;
  }

  private String one(List<String> of) {
    return of.get(random.nextInt(of.size()));
  }
}
