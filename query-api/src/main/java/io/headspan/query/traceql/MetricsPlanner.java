package io.headspan.query.traceql;

import java.util.ArrayList;
import java.util.List;

/// Turns a query for time series into a [MetricsPlan].
public final class MetricsPlanner {
  private MetricsPlanner() {}

  /// A plan for `query` over the intervals of `grid`.
  ///
  /// @throws TraceQlException if the query asks for traces, or uses what cannot be run; the message
  ///   names the construct and its place
  public static MetricsPlan plan(Query query, TimeGrid grid) {
    MetricsPlan plan = new MetricsPlan(expression(query.pipeline()), grid);
    // What can be parsed and not be run shows while SQL is made: now, not when rows are asked for.
    plan.series(1, true, true);
    return plan;
  }

  /// A pipeline as one expression: its second stages stand around its first metrics stage, which
  /// stands around the stages that select spans.
  private static MetricsExpression expression(Pipeline pipeline) {
    List<Stage> spans = new ArrayList<>();
    MetricsExpression series = null;
    for (Stage stage : pipeline.stages()) {
      if (!(stage instanceof MetricsExpression metrics)) {
        spans.add(stage);
      } else if (series == null) {
        series = first(pipeline.at(), metrics, spans);
      } else {
        series = second(metrics, series);
      }
    }
    if (series == null) {
      throw TraceQlException.invalid(
          pipeline.at(), "a metrics query ends in a metrics function, as in {} | rate()");
    }
    return series;
  }

  private static MetricsExpression first(Position at, MetricsExpression stage, List<Stage> spans) {
    return switch (stage) {
      case MetricsExpression.OverTime over ->
          new MetricsExpression.OfPipeline(over.at(), selection(at, spans, over));
      case MetricsExpression.CompareTo compare ->
          new MetricsExpression.OfPipeline(compare.at(), selection(at, spans, compare));
      case MetricsExpression.Keep(
              Position place,
              MetricsExpression of,
              Comparison operator,
              double bound) ->
          new MetricsExpression.Keep(place, first(at, of, spans), operator, bound);
      case MetricsExpression.Calculate(
              Position place,
              Arithmetic operator,
              MetricsExpression left,
              MetricsExpression right) ->
          new MetricsExpression.Calculate(
              place, operator, first(at, left, spans), first(at, right, spans));
      case MetricsExpression.OfPipeline nested -> {
        if (!spans.isEmpty()) {
          throw TraceQlException.invalid(
              nested.at(), "a metrics query in parentheses begins with its own spanset");
        }
        yield expression(nested.pipeline());
      }
      case MetricsExpression.Constant constant -> constant;
      case MetricsExpression.Ranked ranked ->
          new MetricsExpression.Ranked(first(at, ranked.of(), spans), ranked.rank());
      case MetricsExpression.Rank rank ->
          throw TraceQlException.invalid(
              rank.at(), "topk and bottomk stand after a metrics function such as rate()");
    };
  }

  private static Pipeline selection(Position at, List<Stage> spans, MetricsExpression function) {
    if (spans.isEmpty()) {
      throw TraceQlException.invalid(
          function.at(), "a metrics function stands after a spanset, as in {} | rate()");
    }
    List<Stage> stages = new ArrayList<>(SearchPlanner.spanStages(at, spans));
    stages.add(function);
    return new Pipeline(at, stages);
  }

  private static MetricsExpression second(MetricsExpression stage, MetricsExpression series) {
    return switch (stage) {
      case MetricsExpression.Rank rank -> new MetricsExpression.Ranked(series, rank);
      case MetricsExpression.Keep(
              Position at,
              MetricsExpression of,
              Comparison operator,
              double bound) ->
          new MetricsExpression.Keep(at, second(of, series), operator, bound);
      case MetricsExpression.Calculate(
              Position at,
              Arithmetic operator,
              MetricsExpression left,
              MetricsExpression right) ->
          new MetricsExpression.Calculate(
              at, operator, second(left, series), second(right, series));
      case MetricsExpression.Constant constant -> constant;
      case MetricsExpression.OverTime _,
          MetricsExpression.CompareTo _,
          MetricsExpression.OfPipeline _,
          MetricsExpression.Ranked _ ->
          throw TraceQlException.invalid(
              stage.at(), "after a metrics function only topk(n) or bottomk(n) may follow");
    };
  }
}
