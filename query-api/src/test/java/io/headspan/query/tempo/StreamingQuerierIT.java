package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.query.RecordedApi;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.tempopb.PartialStatus;
import io.headspan.query.tempopb.QueryInstantRequest;
import io.headspan.query.tempopb.QueryInstantResponse;
import io.headspan.query.tempopb.QueryRangeRequest;
import io.headspan.query.tempopb.QueryRangeResponse;
import io.headspan.query.tempopb.SearchRequest;
import io.headspan.query.tempopb.SearchResponse;
import io.headspan.query.tempopb.SearchTagValuesRequest;
import io.headspan.query.tempopb.SearchTagsRequest;
import io.headspan.query.tempopb.SearchTagsV2Response;
import io.headspan.query.tempopb.SearchTagsV2Scope;
import io.headspan.query.tempopb.StreamingQuerierGrpc;
import io.headspan.query.tempopb.StreamingQuerierGrpc.StreamingQuerierBlockingStub;
import io.headspan.query.tempopb.TagValue;
import io.headspan.query.tempopb.TraceSearchMetadata;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// The gRPC service, on the port of the HTTP API, says what that says.
@ExtendWith(RecordedApi.class)
class StreamingQuerierIT {
  private static final int START = 1_795_214_280;
  private static final int END = 1_795_215_300;
  private static final long NS_PER_SECOND = 1_000_000_000;

  private static RunningApi api;
  private static ManagedChannel channel;

  @BeforeAll
  static void start(RunningApi recorded) {
    api = recorded;
    channel = NettyChannelBuilder.forAddress("127.0.0.1", api.port()).usePlaintext().build();
  }

  @AfterAll
  static void stop() {
    if (channel != null) {
      channel.shutdownNow();
    }
  }

  private static StreamingQuerierBlockingStub querier() {
    return StreamingQuerierGrpc.newBlockingStub(channel);
  }

  private static JsonNode json(String path, String query) throws Exception {
    return RecordedSearch.JSON.readTree(
        api.get(
                path + "&start=" + START + "&end=" + END + "&q=" + TestHttp.encoded(query),
                "application/json")
            .body());
  }

  private static <T> List<T> all(Iterator<T> answers) {
    List<T> all = new ArrayList<>();
    answers.forEachRemaining(all::add);
    return all;
  }

  @Test
  void searchComesInParts() throws Exception {
    String query = "{ status = error }";
    List<SearchResponse> parts =
        all(
            querier()
                .search(
                    SearchRequest.newBuilder()
                        .setQuery(query)
                        .setStart(START)
                        .setEnd(END)
                        .setLimit(20)
                        .build()));
    assertThat(parts).hasSizeGreaterThan(1);
    assertThat(parts.getFirst().getTracesCount()).isEqualTo(5);
    int last = 0;
    for (SearchResponse part : parts) {
      assertThat(part.getMetrics().getCompletedJobs()).isGreaterThan(last);
      assertThat(part.getMetrics().getTotalJobs()).isEqualTo(20);
      last = part.getMetrics().getCompletedJobs();
    }
    assertThat(last).isEqualTo(20);
    List<TraceSearchMetadata> traces =
        parts.stream().flatMap(part -> part.getTracesList().stream()).toList();
    JsonNode http = json("/api/search?limit=20", query).get("traces");
    assertThat(traces.stream().map(TraceSearchMetadata::getTraceId))
        .containsExactlyInAnyOrderElementsOf(
            RecordedSearch.stream(http).map(trace -> trace.get("traceID").asText()).toList());
    for (TraceSearchMetadata trace : traces) {
      JsonNode same =
          RecordedSearch.stream(http)
              .filter(other -> other.get("traceID").asText().equals(trace.getTraceId()))
              .findFirst()
              .orElseThrow();
      assertThat(trace.getRootServiceName()).isEqualTo(same.get("rootServiceName").asText());
      assertThat(trace.getDurationMs()).isEqualTo(same.get("durationMs").asInt());
      assertThat(trace.getSpanSets(0).getMatched())
          .isEqualTo(same.get("spanSets").get(0).get("matched").asInt());
      assertThat(trace.getServiceStatsCount()).isEqualTo(same.get("serviceStats").size());
    }
  }

  @Test
  void searchByTagsAndWithoutMatch() {
    SearchRequest byTags =
        SearchRequest.newBuilder()
            .putTags("service.name", "catalog")
            .setMinDurationMs(1000)
            .setStart(START)
            .setEnd(END)
            .build();
    assertThat(all(querier().search(byTags)).getFirst().getTracesList())
        .isNotEmpty()
        .allMatch(trace -> trace.getDurationMs() >= 1000);
    List<SearchResponse> none =
        all(
            querier()
                .search(
                    SearchRequest.newBuilder()
                        .setQuery("{ name = `nosuch` }")
                        .setStart(START)
                        .setEnd(END)
                        .build()));
    assertThat(none).hasSize(1);
    assertThat(none.getFirst().getTracesList()).isEmpty();
  }

  @Test
  void namesComeScopeByScope() {
    SearchTagsRequest request = SearchTagsRequest.newBuilder().setStart(START).setEnd(END).build();
    List<SearchTagsV2Response> parts = all(querier().searchTagsV2(request));
    assertThat(parts).hasSize(6);
    assertThat(parts.getFirst().getScopesCount()).isEqualTo(1);
    assertThat(parts.getLast().getScopesList().stream().map(SearchTagsV2Scope::getName))
        .containsExactly("event", "instrumentation", "intrinsic", "link", "resource", "span");
    assertThat(all(querier().searchTags(request)).getFirst().getTagNamesList())
        .contains("service.name", "load", "duration");
  }

  @Test
  void valuesHaveTypes() {
    SearchTagValuesRequest request =
        SearchTagValuesRequest.newBuilder()
            .setTagName("resource.service.name")
            .setQuery("{ status = error && kind = server }")
            .setStart(START)
            .setEnd(END)
            .build();
    assertThat(
            all(querier().searchTagValuesV2(request)).getFirst().getTagValuesList().stream()
                .map(TagValue::getValue))
        .containsExactlyInAnyOrder("catalog", "frontend", "payment", "recommend");
    assertThat(all(querier().searchTagValues(request)).getFirst().getTagValuesList())
        .containsExactlyInAnyOrder("catalog", "frontend", "payment", "recommend");
  }

  @Test
  void seriesAreThoseOfHttp() throws Exception {
    String query = "{} | rate() by (resource.service.name)";
    QueryRangeResponse range =
        all(querier()
                .metricsQueryRange(
                    QueryRangeRequest.newBuilder()
                        .setQuery(query)
                        .setStart(START * NS_PER_SECOND)
                        .setEnd(END * NS_PER_SECOND)
                        .setStep(60 * NS_PER_SECOND)
                        .setExemplars(10)
                        .build()))
            .getFirst();
    JsonNode http = json("/api/metrics/query_range?step=60s", query).get("series");
    assertThat(range.getStatus()).isEqualTo(PartialStatus.COMPLETE);
    assertThat(range.getSeriesCount()).isEqualTo(http.size());
    for (int i = 0; i < http.size(); i++) {
      assertThat(range.getSeries(i).getLabels(0).getValue().getStringValue())
          .isEqualTo(http.get(i).get("labels").get(0).get("value").get("stringValue").asText());
      assertThat(range.getSeries(i).getSamples(5).getValue())
          .isEqualTo(http.get(i).get("samples").get(5).get("value").asDouble());
      assertThat(range.getSeries(i).getExemplarsCount()).isEqualTo(1);
    }
    QueryInstantResponse instant =
        all(querier()
                .metricsQueryInstant(
                    QueryInstantRequest.newBuilder()
                        .setQuery("{} | count_over_time()")
                        .setStart(START * NS_PER_SECOND)
                        .setEnd(END * NS_PER_SECOND)
                        .build()))
            .getFirst();
    assertThat(instant.getSeries(0).getValue()).isEqualTo(1842);
  }

  @Test
  void badQueriesSayWhatIsWrong() {
    assertThatThrownBy(
            () -> all(querier().search(SearchRequest.newBuilder().setQuery("{ name = ").build())))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT))
        .hasMessageContaining("line 1, column");
  }
}
