package io.headspan.query.tempo;

import static io.headspan.query.TestHttp.encoded;
import static io.headspan.query.TestHttp.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.headspan.query.QueryProcess;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.tempopb.QueryInstantRequest;
import io.headspan.query.tempopb.QueryRangeRequest;
import io.headspan.query.tempopb.SearchRequest;
import io.headspan.query.tempopb.SearchTagValuesRequest;
import io.headspan.query.tempopb.StreamingQuerierGrpc;
import io.headspan.storage.SqlQuery;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Queries for a million distinct values, over HTTP and gRPC, end in an answer or a clear error, in
/// bounded time, and in bounded memory of the store and of the query API, which has a process of
/// its own.
class CardinalityIT {
  private static final int VALUES = 1_000_000;
  private static final Duration BOUND = Duration.ofSeconds(25);

  /// Of a statement in the store.
  private static final int STATEMENT_MIB = 256;

  /// What the store may take beside: its caches of what was read, and what a statement takes before
  /// the limit is looked at.
  private static final int STORE_MORE_MIB = 512;

  private static final int HEAP_MIB = 256;

  /// Code, metadata, threads, and what the network holds.
  private static final int API_MORE_MIB = 384;

  private static final int START = 1_795_214_280;
  private static final int END = 1_795_215_300;
  private static final long NS_PER_SECOND = 1_000_000_000;

  /// Each has a million groups, series or spans.
  private static final List<String> METRICS =
      List.of(
          "{} | rate() by (span.bomb)",
          "{} | rate() by (span:id, trace:id, duration)",
          "{} | quantile_over_time(duration, .5, .99) by (span.bomb)",
          "{} | histogram_over_time(duration) by (span.bomb)",
          "{} | count_over_time() by (span.bomb) | topk(1000000000)",
          "({} | rate() by (span.bomb)) / ({} | rate() by (span.bomb))",
          "{} | compare({ span.bomb =~ `.*1` }, 1000000000)");

  private static final List<String> SEARCHES =
      List.of(
          "{} | select(span.bomb)",
          "{} | by(span.bomb) | count() > 0",
          "{ span.bomb != nil } >> { span.bomb != nil }",
          "{ span.bomb =~ `(.*)*(.*)*(.*)*nothing` }",
          "{ span.bomb = parent.span.bomb }");

  @TempDir static Path directory;
  private static RunningApi api;
  private static QueryProcess guarded;
  private static long storeMibBefore;
  private static HttpClient client;
  private static ManagedChannel channel;

  @BeforeAll
  static void start() throws Exception {
    long beganNs = System.nanoTime();
    api = RunningApi.start(directory, RecordedSpans.requests());
    api.store().query(SqlQuery.of(bombs()).timeout(Duration.ofMinutes(2)), row -> row.text(0));
    assertThat(
            api.store()
                .query(
                    SqlQuery.of("SELECT count() FROM spans WHERE has(string_keys, 'bomb')"),
                    row -> row.integer(0)))
        .containsExactly((long) VALUES);
    storeMibBefore = QueryProcess.mib(api.storePid(), "VmRSS");
    Map<String, String> settings = new HashMap<>();
    settings.put("HEADSPAN_QUERY_STORE", api.storeUrl());
    settings.put("HEADSPAN_QUERY_TIMEOUT", "10s");
    settings.put("HEADSPAN_QUERY_MEMORY_MIB", Integer.toString(STATEMENT_MIB));
    guarded = QueryProcess.start(HEAP_MIB, settings);
    client = HttpClient.newHttpClient();
    channel =
        NettyChannelBuilder.forAddress("127.0.0.1", guarded.port())
            .maxInboundMessageSize(64 << 20)
            .usePlaintext()
            .build();
    System.out.printf(
        "cardinality: %d values in %.1f s%n", VALUES, (System.nanoTime() - beganNs) / 1e9);
  }

  /// Spans of one service, a fifth of a millisecond apart, each with a value of its own.
  private static String bombs() {
    return """
    INSERT INTO kept_spans (time, trace_id, span_id, duration, operation, kind, resource_fp, scope_fp,
        tenant, service, runtime, adjusted_count, string_keys, string_values)
    WITH (SELECT (any(resource_fp), any(scope_fp), any(tenant), any(service), any(runtime))
        FROM kept_spans WHERE service = 'catalog') AS known
    SELECT fromUnixTimestamp64Nano(toInt64(%d + number * 200000), 'UTC'),
        CAST(unhex(lpad(hex(intDiv(number, 10) + 1), 32, '0')), 'FixedString(16)'), number + 1,
        1000000 + number, 'bomb', 2, known.1, known.2, known.3, known.4, known.5, 1,
        ['bomb'], ['value-' || toString(cityHash64(number)) || toString(number)]
    FROM numbers(%d)
    """
        .formatted(START * NS_PER_SECOND, VALUES);
  }

  @AfterAll
  static void stop() throws Exception {
    if (channel != null) {
      channel.shutdownNow();
      client.close();
    }
    if (guarded != null) {
      guarded.close();
    }
    if (api != null) {
      api.close();
    }
  }

  @Test
  void everythingEndsWithinTimeAndMemory() throws Exception {
    Set<String> outcomes = new HashSet<>();
    for (String query : METRICS) {
      outcomes.add(http("/api/metrics/query_range?step=60s&q=", query));
      outcomes.add(grpc(StreamingQuerierGrpc.getMetricsQueryInstantMethod(), instant(query)));
    }
    for (String query : SEARCHES) {
      outcomes.add(http("/api/search?limit=5000&spss=100&q=", query));
      outcomes.add(
          grpc(
              StreamingQuerierGrpc.getSearchMethod(),
              SearchRequest.newBuilder()
                  .setQuery(query)
                  .setLimit(5000)
                  .setSpansPerSpanSet(100)
                  .setStart(START)
                  .setEnd(END)
                  .build()));
    }
    outcomes.add(
        grpc(
            StreamingQuerierGrpc.getMetricsQueryRangeMethod(),
            QueryRangeRequest.newBuilder()
                .setQuery(METRICS.getFirst())
                .setStart(START * NS_PER_SECOND)
                .setEnd(END * NS_PER_SECOND)
                .setStep(60 * NS_PER_SECOND)
                .build()));
    outcomes.add(http("/api/v2/search/tag/span.bomb/values?limit=100000&q=", "{}"));
    SearchTagValuesRequest values =
        SearchTagValuesRequest.newBuilder()
            .setTagName("span.bomb")
            .setMaxTagValues(100_000)
            .setStart(START)
            .setEnd(END)
            .build();
    outcomes.add(grpc(StreamingQuerierGrpc.getSearchTagValuesMethod(), values));
    outcomes.add(grpc(StreamingQuerierGrpc.getSearchTagValuesV2Method(), values));

    assertThat(outcomes).as("some are answered, some are too much").contains("answer", "limit");
    assertThat(TestHttp.get(client, guarded.port(), "/ready", "*/*").statusCode()).isEqualTo(200);
    long store = QueryProcess.mib(api.storePid(), "VmHWM");
    long ofApi = QueryProcess.mib(guarded.pid(), "VmHWM");
    System.out.printf(
        "cardinality: store %d MiB before, %d at most; query API %d MiB at most%n",
        storeMibBefore, store, ofApi);
    assertThat(store).isLessThan(storeMibBefore + STATEMENT_MIB + STORE_MORE_MIB);
    assertThat(ofApi).isLessThan(HEAP_MIB + API_MORE_MIB);
  }

  private static QueryInstantRequest instant(String query) {
    return QueryInstantRequest.newBuilder()
        .setQuery(query)
        .setStart(START * NS_PER_SECOND)
        .setEnd(END * NS_PER_SECOND)
        .build();
  }

  /// How a query ends: `answer`, or `limit` if it said which limit was hit.
  private static String http(String path, String query) throws Exception {
    long beganNs = System.nanoTime();
    HttpResponse<byte[]> response =
        TestHttp.get(
            client,
            guarded.port(),
            path + encoded(query) + "&start=" + START + "&end=" + END,
            "application/json");
    within(beganNs, path + query, response.statusCode());
    if (response.statusCode() == 200) {
      return "answer";
    }
    assertThat(response.statusCode()).as("%s%s: %s", path, query, text(response)).isEqualTo(422);
    assertThat(text(response)).contains("shorter time range");
    return "limit";
  }

  @SuppressWarnings("unchecked")
  private static String grpc(MethodDescriptor<?, ?> method, Message question) {
    long beganNs = System.nanoTime();
    String outcome = "answer";
    try {
      ClientCalls.blockingServerStreamingCall(
              channel, (MethodDescriptor<Message, Message>) method, CallOptions.DEFAULT, question)
          .forEachRemaining(answer -> assertThat(answer.getSerializedSize()).isPositive());
    } catch (StatusRuntimeException e) {
      assertThat(e.getStatus().getCode())
          .as("%s %s: %s", method.getBareMethodName(), question, e.getMessage())
          .isIn(Status.Code.RESOURCE_EXHAUSTED, Status.Code.DEADLINE_EXCEEDED);
      outcome = "limit";
    }
    within(beganNs, method.getBareMethodName() + " " + question, outcome);
    return outcome;
  }

  private static void within(long beganNs, String what, Object outcome) {
    Duration took = Duration.ofNanos(System.nanoTime() - beganNs);
    System.out.printf("cardinality: %d ms, %s, %s%n", took.toMillis(), outcome, what.strip());
    assertThat(took).as(what).isLessThan(BOUND);
  }

  /// The statement ends in the store when the caller of a stream goes.
  @Test
  void queryEndsWhenTheCallerOfAStreamGoes() throws Exception {
    ClientCall<QueryInstantRequest, ?> call =
        channel.newCall(StreamingQuerierGrpc.getMetricsQueryInstantMethod(), CallOptions.DEFAULT);
    CompletableFuture<Status> ended = new CompletableFuture<>();
    awaitRunning(false, ended);
    begin(call, ended);
    // Takes far longer than a look at what is running.
    call.sendMessage(
        instant("{ span.bomb =~ `(.*1.*2.*3.*)+(.*4.*5.*6.*)+nothing` } | rate() by (span.bomb)"));
    call.halfClose();
    awaitRunning(true, ended);
    call.cancel("no longer wanted", null);
    assertThat(ended.get(5, TimeUnit.SECONDS).getCode()).isEqualTo(Status.Code.CANCELLED);
    long beganNs = System.nanoTime();
    awaitRunning(false, new CompletableFuture<>());
    assertThat(Duration.ofNanos(System.nanoTime() - beganNs))
        .as("well before its own limit")
        .isLessThan(Duration.ofSeconds(5));
  }

  private static <T> void begin(
      ClientCall<QueryInstantRequest, T> call, CompletableFuture<Status> ended) {
    call.start(
        new ClientCall.Listener<T>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            ended.complete(status);
          }
        },
        new Metadata());
    call.request(1);
  }

  private static void awaitRunning(boolean wanted, CompletableFuture<Status> ended)
      throws InterruptedException {
    SqlQuery running =
        SqlQuery.of(
            "SELECT count() FROM system.processes WHERE query NOT LIKE '%system.processes%'");
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (api.store().query(running, row -> row.integer(0)).getFirst() > 0 != wanted) {
      assertThat(System.nanoTime() - deadlineNs).as("running, want %s", wanted).isNegative();
      assertThat(ended).as("the query ended by itself").isNotCompleted();
      Thread.sleep(5);
    }
  }
}
