package io.headspan.query.tempo;

import static io.headspan.query.TestHttp.encoded;
import static io.headspan.query.TestHttp.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.util.JsonFormat;
import io.headspan.query.QueryApi;
import io.headspan.query.RecordedApi;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.opentelemetry.proto.trace.v1.TracesData;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The API over the recorded spans: shapes, limits and errors.
@ExtendWith(RecordedApi.class)
class TempoApiIT {
  private static final String RANGE = "&start=1795214280&end=1795215300";
  private static final String JSON = "application/json";
  private static final String PROTOBUF = "application/protobuf";

  private static RunningApi api;

  @BeforeAll
  static void start(RunningApi recorded) {
    api = recorded;
  }

  @Test
  void searchHoldsExactlyTheFieldsGrafanaKnows() throws Exception {
    JsonNode answer =
        json("/api/search?q=" + encoded("{ status = error } | by(name) | count() > 0") + RANGE);
    assertThat(names(answer)).containsExactly("traces", "metrics");
    assertThat(names(answer.get("metrics")))
        .containsExactly(
            "inspectedTraces",
            "inspectedBytes",
            "totalBlocks",
            "completedJobs",
            "totalJobs",
            "totalBlockBytes",
            "inspectedSpans");
    JsonNode trace = answer.get("traces").get(0);
    assertThat(names(trace))
        .containsExactly(
            "traceID",
            "rootServiceName",
            "rootTraceName",
            "startTimeUnixNano",
            "durationMs",
            "spanSets",
            "spanSet",
            "serviceStats");
    assertThat(trace.get("spanSet")).isEqualTo(trace.get("spanSets").get(0));
    assertThat(names(trace.get("spanSet"))).containsExactly("spans", "matched", "attributes");
    JsonNode span = trace.get("spanSet").get("spans").get(0);
    assertThat(names(span))
        .containsExactly("spanID", "name", "startTimeUnixNano", "durationNanos", "attributes");
    assertThat(names(span.get("attributes").get(0))).containsExactly("key", "value");
  }

  @Test
  void searchGivesTheNewestTracesFirstAndFewSpans() throws Exception {
    JsonNode all = json("/api/search?limit=2000&q=" + encoded("{}") + RANGE).get("traces");
    JsonNode some = json("/api/search?limit=7&spss=2&q=" + encoded("{}") + RANGE).get("traces");
    assertThat(all).hasSize(300);
    assertThat(some).hasSize(7);
    long last = Long.MAX_VALUE;
    for (JsonNode trace : all) {
      long start = trace.get("startTimeUnixNano").asLong();
      assertThat(start).isLessThanOrEqualTo(last);
      last = start;
    }
    for (JsonNode trace : some) {
      JsonNode set = trace.get("spanSet");
      assertThat(set.get("spans").size()).isEqualTo(Math.min(2, set.get("matched").asInt()));
    }
    assertThat(json("/api/search?q=" + encoded("{}") + RANGE).get("traces")).hasSize(20);
  }

  @Test
  void searchSeesOnlySpansOfItsTimes() throws Exception {
    assertThat(json("/api/search?q=%7B%7D&start=1795210000&end=1795214000").get("traces"))
        .isEmpty();
    JsonNode half = json("/api/search?limit=2000&q=%7B%7D&start=1795214280&end=1795214790");
    assertThat(half.get("traces").size()).isBetween(100, 200);
    assertThat(json("/api/search?q=%7B%7D").get("traces")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      textBlock =
          """
          service.name=catalog status.code=error|{ .service.name = "catalog" && status = error }
          http.response.status_code=500|{ .http.response.status_code = 500 }
          name="GET /cart" error=true|{ name = "GET /cart" && status = error }
          spot=true root.service.name=frontend|{ .spot = true && rootServiceName = "frontend" }
          """)
  void searchesByTags(String tags, String query) throws Exception {
    JsonNode byTags = json("/api/search?limit=2000&tags=" + encoded(tags) + RANGE).get("traces");
    JsonNode byQuery = json("/api/search?limit=2000&q=" + encoded(query) + RANGE).get("traces");
    assertThat(ids(byTags)).isEqualTo(ids(byQuery)).isNotEmpty();
  }

  @Test
  void searchesByDuration() throws Exception {
    JsonNode between =
        json("/api/search?limit=2000&minDuration=1s&maxDuration=2s" + RANGE).get("traces");
    JsonNode same =
        json("/api/search?limit=2000&q="
                + encoded("{ traceDuration >= 1s && traceDuration <= 2000ms }")
                + RANGE)
            .get("traces");
    assertThat(ids(between)).isEqualTo(ids(same)).isNotEmpty();
    for (JsonNode trace : between) {
      assertThat(trace.get("durationMs").asInt()).isBetween(1000, 2000);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '\t',
      quoteCharacter = '\0',
      textBlock =
          """
          q={	line 1, column 2
          q={ name = "x" } # 5	unexpected character #
          q={} | rate()	line 1, column 6: a metrics function makes time series
          q={} | count() + 1	line 1, column 14: an aggregate needs a comparison
          tags=a b	tags are not in logfmt: at=a b
          limit=0	not a number in range: limit=0, want=1..5000
          limit=x	limit=x
          spss=-1	spss=-1
          minDuration=5	not a duration: minDuration=5
          start=yesterday	not a time: start=yesterday
          start=2&end=1	start lies after end
          """)
  void badSearchesSayWhatIsWrong(String parameters, String problem) throws Exception {
    StringBuilder query = new StringBuilder();
    for (String parameter : parameters.split("&", -1)) {
      int equals = parameter.indexOf('=');
      query
          .append(query.isEmpty() ? "" : "&")
          .append(parameter, 0, equals + 1)
          .append(encoded(parameter.substring(equals + 1)));
    }
    HttpResponse<byte[]> response = api.get("/api/search?" + query, JSON);
    assertThat(response.statusCode()).as(text(response)).isEqualTo(400);
    assertThat(text(response)).contains(problem);
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "{ !", "{ -", "{ ("})
  void deepNestingIsRefused(String opening) throws Exception {
    String query = opening + opening.substring(opening.length() - 1).repeat(10_000);
    HttpResponse<byte[]> response = api.get("/api/search?q=" + encoded(query) + RANGE, JSON);
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(text(response)).contains("nested more than 100 levels deep");
  }

  @Test
  void wideQueriesAreAnswered() throws Exception {
    String names = "name = \"GET /cart\"" + " || name = \"no\"".repeat(400);
    JsonNode wide = json("/api/search?limit=2000&q=" + encoded("{ " + names + " }") + RANGE);
    JsonNode narrow =
        json("/api/search?limit=2000&q=" + encoded("{ name = \"GET /cart\" }") + RANGE);
    assertThat(ids(wide.get("traces"))).isEqualTo(ids(narrow.get("traces"))).isNotEmpty();
    String deep = "(".repeat(90) + ".a = 1" + ")".repeat(90);
    assertThat(json("/api/search?q=" + encoded("{ " + deep + " }") + RANGE).get("traces"))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"'; DROP TABLE spans; --", "\\", "{x:String}", "%", "\t\n", "😀", "')) OR 1=1 --"})
  void textNeverBecomesSql(String text) throws Exception {
    String quoted = "`" + text + "`";
    String name = "\"" + text.replace("\\", "\\\\") + "\"";
    for (String query :
        List.of(
            "{ name = " + quoted + " }",
            "{ span." + name + " = " + quoted + " }",
            "{ resource." + name + " != " + quoted + " }",
            "{ name = " + quoted + " } | by(span." + name + ") | avg(." + name + ") > 1")) {
      assertThat(json("/api/search?q=" + encoded(query) + RANGE).get("traces")).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void tracesAreAsTempoGivesThem(int number) throws Exception {
    JsonNode recorded = RecordedSearch.JSON.readTree(resource("trace-" + number + "-v1.json"));
    String id = CanonicalTrace.firstTraceId(recorded.get("batches"));
    for (String path :
        List.of(id, id.replaceFirst("^0+", ""), id.toUpperCase(java.util.Locale.ROOT))) {
      JsonNode v1 = json("/api/traces/" + path);
      assertThat(names(v1)).containsExactly("batches");
      assertThat(CanonicalTrace.of(v1.get("batches")))
          .isEqualTo(CanonicalTrace.of(recorded.get("batches")));
      JsonNode v2 = json("/api/v2/traces/" + path);
      assertThat(names(v2)).containsExactly("trace", "metrics");
      JsonNode recordedV2 = RecordedSearch.JSON.readTree(resource("trace-" + number + "-v2.json"));
      assertThat(CanonicalTrace.of(v2.get("trace").get("resourceSpans")))
          .isEqualTo(CanonicalTrace.of(recordedV2.get("trace").get("resourceSpans")));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void tracesInProtobufAreAsTempoGivesThem(int number) throws Exception {
    JsonNode recorded = RecordedSearch.JSON.readTree(resource("trace-" + number + "-v1.json"));
    String id = CanonicalTrace.firstTraceId(recorded.get("batches"));
    HttpResponse<byte[]> v1 = api.get("/api/traces/" + id, PROTOBUF);
    assertThat(v1.headers().firstValue("content-type")).contains(PROTOBUF);
    assertThat(canonical(TracesData.parseFrom(v1.body())))
        .isEqualTo(canonical(TracesData.parseFrom(resource("trace-" + number + "-v1.pb"))));
    HttpResponse<byte[]> v2 = api.get("/api/v2/traces/" + id, PROTOBUF);
    assertThat(v2.headers().firstValue("content-type")).contains(PROTOBUF);
    assertThat(canonical(traceOfV2(v2.body())))
        .isEqualTo(canonical(traceOfV2(resource("trace-" + number + "-v2.pb").readAllBytes())));
  }

  private static List<String> canonical(TracesData trace) throws IOException {
    return CanonicalTrace.of(
        RecordedSearch.JSON.readTree(JsonFormat.printer().print(trace)).get("resourceSpans"));
  }

  /// Field 1 of TraceByIDResponse.
  private static TracesData traceOfV2(byte[] response) throws IOException {
    CodedInputStream in = CodedInputStream.newInstance(response);
    assertThat(in.readTag() >>> 3).isEqualTo(1);
    return TracesData.parseFrom(in.readByteArray());
  }

  @Test
  void absentTracesAre404OrEmpty() throws Exception {
    assertThat(api.get("/api/traces/abc", JSON).statusCode()).isEqualTo(404);
    assertThat(api.get("/api/traces/abc", PROTOBUF).statusCode()).isEqualTo(404);
    assertThat(json("/api/v2/traces/abc").toString()).isEqualTo("{\"trace\":{},\"metrics\":{}}");
    assertThat(traceOfV2(api.get("/api/v2/traces/abc", PROTOBUF).body()))
        .isEqualTo(TracesData.getDefaultInstance());
  }

  @ParameterizedTest
  @ValueSource(strings = {"xyz", "0123456789abcdef0123456789abcdef0", "12%2034", "%C3%A9", "-1"})
  void badTraceIdsAre400(String id) throws Exception {
    for (String version : List.of("/api/traces/", "/api/v2/traces/")) {
      HttpResponse<byte[]> response = api.get(version + id, JSON);
      assertThat(response.statusCode()).as(text(response)).isEqualTo(400);
      assertThat(text(response)).contains("not a trace id");
    }
  }

  @Test
  void largeTracesAreCut() throws Exception {
    JsonNode recorded = RecordedSearch.JSON.readTree(resource("trace-3-v1.json"));
    String id = CanonicalTrace.firstTraceId(recorded.get("batches"));
    int spans = CanonicalTrace.of(recorded.get("batches")).size();
    try (QueryApi small = QueryApi.start(api.config(Map.of("HEADSPAN_QUERY_TRACE_SPANS", "10")));
        HttpClient client = HttpClient.newHttpClient()) {
      JsonNode v2 =
          RecordedSearch.JSON.readTree(
              TestHttp.get(client, small.port(), "/api/v2/traces/" + id, JSON).body());
      assertThat(v2.get("status").asText()).isEqualTo("PARTIAL");
      assertThat(v2.get("message").asText()).contains("spans=" + spans).contains("first 10 are");
      assertThat(CanonicalTrace.of(v2.get("trace").get("resourceSpans"))).hasSize(10);
      HttpResponse<byte[]> v1 = TestHttp.get(client, small.port(), "/api/traces/" + id, JSON);
      assertThat(v1.statusCode()).isEqualTo(422);
    }
  }

  @Test
  void tagValuesOfWordsOfTheLanguageAreKeywords() throws Exception {
    assertThat(text(api.get("/api/v2/search/tag/status/values?x=1" + RANGE, JSON)))
        .contains("{\"type\":\"keyword\",\"value\":\"error\"}");
    assertThat(text(api.get("/api/v2/search/tag/kind/values?x=1" + RANGE, JSON)))
        .contains("{\"type\":\"keyword\",\"value\":\"server\"}");
    assertThat(text(api.get("/api/search/tag/service.name/values?x=1" + RANGE, JSON)))
        .contains("\"cart\"");
  }

  @Test
  void tagNamesComeByScope() throws Exception {
    JsonNode all = json("/api/v2/search/tags?x=1" + RANGE);
    assertThat(RecordedSearch.stream(all.get("scopes")).map(s -> s.get("name").asText()))
        .containsExactly("event", "instrumentation", "intrinsic", "link", "resource", "span");
    JsonNode span = json("/api/v2/search/tags?scope=span" + RANGE).get("scopes").get(0);
    assertThat(RecordedSearch.stream(span.get("tags")).map(JsonNode::asText))
        .contains("http.response.status_code", "load", "tags", "name with space", "url.path");
    JsonNode event = json("/api/v2/search/tags?scope=event" + RANGE).get("scopes").get(0);
    assertThat(RecordedSearch.stream(event.get("tags")).map(JsonNode::asText))
        .containsExactly("attempt", "exception.type");
    assertThat(text(api.get("/api/search/tags?x=1" + RANGE, JSON))).contains("\"service.name\"");
    JsonNode ofRedis =
        json(
            "/api/v2/search/tags?q="
                + encoded("{ resource.service.name = `redis` && name = }")
                + RANGE);
    assertThat(
            api.get("/api/v2/search/tags?q=" + encoded("{ nestedSetLeft = 1 && ") + RANGE, JSON)
                .statusCode())
        .isEqualTo(200);
    assertThat(api.get("/api/v2/search/tag/childCount/values?x=1" + RANGE, JSON).statusCode())
        .isEqualTo(400);
    JsonNode ofAll = json("/api/v2/search/tags?x=1" + RANGE);
    assertThat(ofRedis.toString())
        .contains("db.system.name", "service.name")
        .doesNotContain("k8s.namespace.name", "url.path");
    assertThat(ofAll.toString()).contains("k8s.namespace.name", "url.path");
    assertThat(api.get("/api/v2/search/tags?scope=nosuch", JSON).statusCode()).isEqualTo(400);
  }

  @Test
  void grafanaFindsTempo() throws Exception {
    assertThat(text(api.get("/api/echo", JSON))).isEqualTo("echo");
    assertThat(json("/api/status/buildinfo").get("version").asText()).isEqualTo("3.0.3");
    assertThat(api.get("/ready", JSON).statusCode()).isEqualTo(200);
    assertThat(text(api.get("/metrics", JSON))).contains("headspan_query_http_requests_total");
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get(path, JSON);
    assertThat(response.statusCode()).as(text(response)).isEqualTo(200);
    return RecordedSearch.JSON.readTree(response.body());
  }

  private static InputStream resource(String name) {
    return RecordedSpans.resource(name);
  }

  private static List<String> names(JsonNode node) {
    List<String> names = new ArrayList<>();
    Iterator<String> fields = node.fieldNames();
    fields.forEachRemaining(names::add);
    return names;
  }

  private static Set<String> ids(JsonNode traces) {
    Set<String> ids = new TreeSet<>();
    traces.forEach(trace -> ids.add(trace.get("traceID").asText()));
    return ids;
  }
}
