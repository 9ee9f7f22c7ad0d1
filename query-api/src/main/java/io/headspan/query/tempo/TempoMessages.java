package io.headspan.query.tempo;

import io.headspan.query.tempo.TraceSummary.ServiceStats;
import io.headspan.query.tempopb.Exemplar;
import io.headspan.query.tempopb.InstantSeries;
import io.headspan.query.tempopb.PartialStatus;
import io.headspan.query.tempopb.QueryInstantResponse;
import io.headspan.query.tempopb.QueryRangeResponse;
import io.headspan.query.tempopb.Sample;
import io.headspan.query.tempopb.SearchMetrics;
import io.headspan.query.tempopb.SearchResponse;
import io.headspan.query.tempopb.SearchTagsV2Response;
import io.headspan.query.tempopb.SearchTagsV2Scope;
import io.headspan.query.tempopb.Span;
import io.headspan.query.tempopb.SpanSet;
import io.headspan.query.tempopb.TimeSeries;
import io.headspan.query.tempopb.TraceSearchMetadata;
import io.headspan.query.traceql.ResultValue;
import io.headspan.query.traceql.Series;
import io.headspan.query.traceql.Spanset;
import io.headspan.wire.TraceContext;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.ArrayValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import java.util.List;
import java.util.Map;

/// Answers as Tempo's protobuf messages: what [SearchJson] and [SeriesJson] write as JSON.
final class TempoMessages {
  private static final long NS_PER_MS = 1_000_000;

  private TempoMessages() {}

  /// @param done traces answered so far
  /// @param all traces to be answered
  static SearchResponse search(List<FoundTrace> traces, int done, int all) {
    SearchResponse.Builder answer = SearchResponse.newBuilder();
    traces.forEach(trace -> answer.addTraces(trace(trace)));
    return answer
        .setMetrics(
            SearchMetrics.newBuilder()
                .setInspectedTraces(done)
                .setTotalBlocks(1)
                .setCompletedJobs(done)
                .setTotalJobs(all))
        .build();
  }

  private static TraceSearchMetadata trace(FoundTrace trace) {
    TraceSummary summary = trace.summary();
    TraceSearchMetadata.Builder message =
        TraceSearchMetadata.newBuilder()
            .setTraceId(trace.traceId())
            .setRootServiceName(summary.rootService())
            .setRootTraceName(summary.rootName())
            .setStartTimeUnixNano(summary.startNs())
            .setDurationMs((int) ((summary.endNs() - summary.startNs()) / NS_PER_MS))
            .setSpanSet(set(trace.spansets().getFirst()));
    trace.spansets().forEach(set -> message.addSpanSets(set(set)));
    for (Map.Entry<String, ServiceStats> service : summary.services().entrySet()) {
      message.putServiceStats(
          service.getKey(),
          io.headspan.query.tempopb.ServiceStats.newBuilder()
              .setSpanCount((int) service.getValue().spans())
              .setErrorCount((int) service.getValue().errors())
              .build());
    }
    return message.build();
  }

  private static SpanSet set(Spanset set) {
    SpanSet.Builder message =
        SpanSet.newBuilder()
            .setMatched((int) set.matched())
            .addAllAttributes(keyValues(set.attributes()));
    for (Spanset.Span span : set.spans()) {
      message.addSpans(
          Span.newBuilder()
              .setSpanId(TraceContext.hexId(span.spanId()))
              .setName(span.name())
              .setStartTimeUnixNano(span.startNs())
              .setDurationNanos(span.durationNs())
              .addAllAttributes(keyValues(span.attributes())));
    }
    return message.build();
  }

  static SearchTagsV2Response tags(Map<String, List<String>> names) {
    SearchTagsV2Response.Builder answer = SearchTagsV2Response.newBuilder();
    names.forEach((scope, tags) ->
        answer.addScopes(SearchTagsV2Scope.newBuilder().setName(scope).addAllTags(tags)));
    return answer.build();
  }

  static QueryRangeResponse range(Metrics.Found found, int exemplars) {
    QueryRangeResponse.Builder answer =
        QueryRangeResponse.newBuilder().setStatus(status(found)).setMessage(found.problem());
    int perSeries = Math.max(1, exemplars / Math.max(1, found.series().size()));
    int left = exemplars;
    for (Series series : found.series()) {
      TimeSeries.Builder message = TimeSeries.newBuilder().addAllLabels(keyValues(series.labels()));
      for (int i = 0; i < series.values().length; i++) {
        if (Double.isFinite(series.values()[i])) {
          message.addSamples(
              Sample.newBuilder()
                  .setValue(series.values()[i])
                  .setTimestampMs(found.grid().endNs(i) / NS_PER_MS));
        }
      }
      List<Series.Exemplar> some = SeriesJson.some(series.exemplars(), Math.min(left, perSeries));
      left -= some.size();
      for (Series.Exemplar exemplar : some) {
        message.addExemplars(
            Exemplar.newBuilder()
                .addLabels(keyValue("trace:id", new ResultValue.Text(exemplar.traceId())))
                .setValue(exemplar.value())
                .setTimestampMs(exemplar.timeNs() / NS_PER_MS));
      }
      answer.addSeries(message);
    }
    return answer.build();
  }

  static QueryInstantResponse instant(Metrics.Found found) {
    QueryInstantResponse.Builder answer =
        QueryInstantResponse.newBuilder().setStatus(status(found)).setMessage(found.problem());
    for (Series series : found.series()) {
      answer.addSeries(
          InstantSeries.newBuilder()
              .addAllLabels(keyValues(series.labels()))
              .setValue(series.values()[0]));
    }
    return answer.build();
  }

  private static PartialStatus status(Metrics.Found found) {
    return found.problem().isEmpty() ? PartialStatus.COMPLETE : PartialStatus.PARTIAL;
  }

  private static List<KeyValue> keyValues(List<Spanset.Attribute> attributes) {
    return attributes.stream()
        .map(attribute -> keyValue(attribute.name(), attribute.value()))
        .toList();
  }

  private static KeyValue keyValue(String key, ResultValue value) {
    return KeyValue.newBuilder().setKey(key).setValue(value(value)).build();
  }

  private static AnyValue value(ResultValue value) {
    AnyValue.Builder any = AnyValue.newBuilder();
    return switch (value) {
      case ResultValue.Text(String text) -> any.setStringValue(text).build();
      case ResultValue.Duration(String text) -> any.setStringValue(text).build();
      case ResultValue.Int(long number) -> any.setIntValue(number).build();
      case ResultValue.Real(double number) -> any.setDoubleValue(number).build();
      case ResultValue.Bool(boolean bool) -> any.setBoolValue(bool).build();
      case ResultValue.Array(List<ResultValue> elements) ->
          any.setArrayValue(
                  ArrayValue.newBuilder()
                      .addAllValues(elements.stream().map(TempoMessages::value).toList()))
              .build();
      case ResultValue.Nothing _ -> any.setStringValue("nil").build();
    };
  }
}
