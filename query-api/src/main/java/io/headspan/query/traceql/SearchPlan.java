package io.headspan.query.traceql;

import io.headspan.query.traceql.FoundSet.SpanKey;
import io.headspan.storage.SqlQuery;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// How to find the traces of a query.
///
/// Spans that one filter matches are read in their order until there are enough ([#isScan()],
/// [#newest]). Where those are all there are, their spansets are known by that. Where there are
/// more, it tells which traces, if need be by another statement ([#candidates]), and a further one
/// tells their spansets ([#details]). Everything else has to look at whole traces. It is done once,
/// for as little time as will do ([#slices()]): that tells the spansets ([#found]). Of spansets
/// that are known a small statement tells what is shown of their spans ([#shown]). All come from
/// one plan, so that they agree.
///
/// A plan may be used by any thread and any number of times.
public final class SearchPlan {
  /// A slice shorter than this saves nothing: a statement takes long to be planned.
  private static final long FIRST_SLICE_NS = Duration.ofMinutes(5).toNanos();

  private static final long FIRST_SLICES_PER_RANGE = 96;
  private static final long GROWTH = 4;

  /// As many spans as are looked up by their ids.
  public static final int SHOWN_BY_ID_MAX = 20_000;

  private final List<Stage> stages;
  private final List<FieldExpression> shown;
  private final TimeRange range;

  SearchPlan(List<Stage> stages, List<FieldExpression> shown, TimeRange range) {
    this.stages = List.copyOf(stages);
    this.shown = List.copyOf(shown);
    this.range = range;
  }

  /// The spans looked at.
  public TimeRange range() {
    return range;
  }

  /// The same for other spans.
  public SearchPlan within(TimeRange other) {
    return new SearchPlan(stages, shown, other);
  }

  /// Whether spans are read in their order until there are enough.
  public boolean isScan() {
    return new SearchSql(stages, List.of(), range).isScan();
  }

  /// The times to look at one after the other, before the whole range, until there are enough
  /// traces: ever longer ones, all up to the end of the range. Of a trace that began before such a
  /// time, not everything is seen within it.
  public List<TimeRange> slices() {
    long wholeNs = range.toNs() - range.fromNs();
    List<TimeRange> slices = new ArrayList<>();
    long sliceNs = Math.max(FIRST_SLICE_NS, wholeNs / FIRST_SLICES_PER_RANGE);
    while (sliceNs < wholeNs / 2) {
      slices.add(new TimeRange(range.toNs() - sliceNs, range.toNs()));
      sliceNs *= GROWTH;
    }
    return slices;
  }

  /// The newest matching spans, newest first, to be read by [FoundSet.SpanKey#read].
  ///
  /// @param limit how many spans
  /// @throws IllegalStateException if it is no scan ([#isScan()])
  public SqlQuery newest(int limit) {
    return new SearchSql(stages, List.of(), range).newest(limit);
  }

  /// Rows of one column, the trace id as 32 hex digits; the traces with the newest matching spans,
  /// newest first.
  ///
  /// @throws IllegalStateException if it is no scan ([#isScan()])
  public SqlQuery candidates(int limit) {
    return new SearchSql(stages, List.of(), range).candidates(limit);
  }

  /// The spansets of the traces with the newest matching spans, newest first, to be read by
  /// [FoundSet#read].
  ///
  /// @param limit how many traces
  public SqlQuery found(int limit, int spansPerSet) {
    return new SearchSql(stages, List.of(), range).found(limit, spansPerSet);
  }

  /// What an answer shows of some spans, to be read by [#shownReader()]; empty if [#details] has to
  /// be asked, because there are too many or because it takes the place of spans in their trees.
  ///
  /// @param traces theirs, with the times of their summaries
  public Optional<SqlQuery> shown(List<TraceExtent> traces, Collection<SpanKey> spans) {
    if (spans.size() > SHOWN_BY_ID_MAX) {
      return Optional.empty();
    }
    String ids =
        spans.stream()
            .map(span -> Long.toUnsignedString(span.spanId()))
            .collect(Collectors.joining(","));
    return new SearchSql(stages, shown, range).shown(traces, ids);
  }

  /// The spansets of some traces, to be read by [#reader()].
  ///
  /// @param traces with the times of their summaries
  public SqlQuery details(List<TraceExtent> traces, int spansPerSet) {
    return new SearchSql(stages, shown, range).details(traces, spansPerSet);
  }

  /// Reads the rows of [#details].
  public SpansetReader reader() {
    return new SpansetReader(names());
  }

  /// Reads the rows of [#shown].
  public ShownSpanReader shownReader() {
    return new ShownSpanReader(names());
  }

  private List<String> names() {
    return shown.stream().map(field -> SearchPlanner.shownName(field).orElseThrow()).toList();
  }
}
