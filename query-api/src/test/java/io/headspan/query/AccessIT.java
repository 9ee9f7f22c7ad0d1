package io.headspan.query;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.headspan.query.access.AuditLog;
import io.headspan.query.explain.MadeSpans;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import io.headspan.query.page.Page;
import io.headspan.query.tempopb.QueryInstantRequest;
import io.headspan.query.tempopb.QueryRangeRequest;
import io.headspan.query.tempopb.SearchRequest;
import io.headspan.query.tempopb.SearchTagValuesRequest;
import io.headspan.query.tempopb.SearchTagsRequest;
import io.headspan.query.tempopb.StreamingQuerierGrpc;
import io.headspan.storage.LeftOut;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.access.Tokens;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.resource.v1.Resource;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What tokens protect. There are two stores: one with the spans, logs and waits of tenants acme
/// and bravo, who share a trace and a node; and one where acme never was. Whatever bravo asks, both
/// say the same, and neither says acme's name.
class AccessIT {
  private static final long NOON_NS = 1_795_176_000_000_000_000L;
  private static final String RANGE = "start=1795175900&end=1795176200";
  private static final String FROM_TO = "from=1795175900&to=1795176200";

  /// So that explain has components to tell of.
  private static final String ENOUGH_ON_BOTH_SIDES =
      "?service=bravo-shop&baseline=1795175900/1795176200&" + FROM_TO;

  private static final String SHARED_TRACE = "12340000000000000001";

  /// One that has none of bravo's spans.
  private static final String ACME_TRACE = "12340000000000009999";

  private static final String BRAVO = "bravo-token";
  private static final String OPERATOR = "operator-token";
  private static final String SLOW = "slow-token";
  private static final String ELSEWHERE = "elsewhere-token";

  /// What bravo asks each route, and where its answers do not matter to others.
  private static final Map<String, List<String>> QUESTIONS = questions();

  @TempDir static Path directory;
  private static RunningApi both;
  private static RunningApi alone;
  private static QueryApi bothGuarded;
  private static QueryApi aloneGuarded;
  private static HttpClient client;

  private static Map<String, List<String>> questions() {
    Map<String, List<String>> questions = new TreeMap<>();
    List<String> searches =
        List.of(
            "{}",
            "{ resource.service.name = \"acme-shop\" }",
            "{ rootServiceName = \"acme-shop\" }",
            "{ trace:rootName = \"GET /\" }",
            "{ traceDuration > 1ms }",
            "{ span.headspan.culprit = \"acme\" }",
            "{ span.headspan.culprit =~ \".*\" } | select(span.headspan.culprit)",
            "{ span.headspan.culprit != \"x\" } | by(span.headspan.culprit)",
            "{ instrumentation:name != \"x\" } | select(instrumentation:name)",
            "{ } >> { kind = server }",
            "{ } &>> { kind = server }",
            "{ parent = nil }",
            "{ parent.resource.service.name = \"acme-shop\" }",
            "{ !(parent.resource.service.name = \"acme-shop\") }",
            "{ parent.resource.headspan.tenant != nil || name = \"x\" }",
            "{ parent.resource.service.name != resource.service.name }",
            "{} | select(parent.resource.service.name)",
            "{} | by(parent.resource.service.name)",
            "{ nestedSetLeft > 1 }",
            "{ span.headspan.sampling.policy != nil }",
            "{ span.headspan.sampling.policy = \"acme-errors\" }",
            "{} | select(span.headspan.sampling.policy)",
            "{ parent.span.headspan.sampling.policy =~ \".*\" }",
            "{ nestedSetRight > 2 } | by(nestedSetParent)",
            "{ span:childCount > 1 }",
            "{} | max(nestedSetRight) > 4",
            "{ trace:id = \"" + ACME_TRACE + "\" }",
            "{ nestedSetParent < 0 }",
            "{} | count() > 1");
    questions.put(
        "/api/search",
        searches.stream().map(q -> "/api/search?" + RANGE + "&q=" + TestHttp.encoded(q)).toList());
    List<String> metrics =
        List.of(
            "{} | rate() by (resource.service.name)",
            "{} | count_over_time() by (span.headspan.culprit)",
            "{} | count_over_time() by (rootServiceName)",
            "{} | quantile_over_time(duration, .9) by (span.headspan.culprit)",
            "{} | compare({ span.headspan.stolen_ns > 0 })",
            "{} | compare({ parent.resource.service.name = \"acme-shop\" }, 3)",
            "{} | rate() by (parent.resource.service.name)",
            "{} | rate() by (.headspan.sampling.policy)",
            "{} | max_over_time(nestedSetRight) by (span:childCount)",
            "{} | count_over_time() with(exemplars=true)");
    for (String route : new String[] {"/api/metrics/query_range", "/api/metrics/query"}) {
      questions.put(
          route,
          metrics.stream()
              .map(q -> route + "?" + RANGE + "&step=60s&q=" + TestHttp.encoded(q))
              .toList());
    }
    for (String route : new String[] {"/api/traces/:id", "/api/v2/traces/:id"}) {
      questions.put(
          route,
          List.of(
              route.replace(":id", SHARED_TRACE),
              route.replace(":id", "12340000000000000002"),
              route.replace(":id", ACME_TRACE)));
    }
    for (String route : new String[] {"/api/search/tags", "/api/v2/search/tags"}) {
      questions.put(
          route,
          List.of(
              route + "?" + RANGE,
              route + "?" + RANGE + "&scope=instrumentation",
              route
                  + "?"
                  + RANGE
                  + "&q="
                  + TestHttp.encoded("{ rootServiceName = \"acme-shop\" }")));
    }
    for (String route :
        new String[] {"/api/search/tag/:tag/values", "/api/v2/search/tag/:tag/values"}) {
      List<String> asked = new ArrayList<>();
      for (String tag :
          new String[] {
            "resource.service.name",
            "resource.headspan.tenant",
            "span.headspan.culprit",
            "span.acme.note",
            "span.headspan.sampling.policy",
            "parent.resource.service.name",
            "name",
            "rootServiceName",
            "instrumentation:name",
            "status"
          }) {
        asked.add(route.replace(":tag", tag) + "?" + RANGE);
      }
      questions.put(route, asked);
    }
    for (String prefix : new String[] {"", "/jaeger"}) {
      questions.put(prefix + "/api/services", List.of(prefix + "/api/services"));
      questions.put(
          prefix + "/api/services/:service/operations",
          List.of(
              prefix + "/api/services/bravo-shop/operations",
              prefix + "/api/services/acme-shop/operations"));
      questions.put(
          prefix + "/api/operations",
          List.of(
              prefix + "/api/operations?service=bravo-shop",
              prefix + "/api/operations?service=acme-shop"));
      String times = "&start=1795175900000000&end=1795176200000000";
      questions.put(
          prefix + "/api/traces",
          List.of(
              prefix + "/api/traces?service=bravo-shop" + times,
              prefix + "/api/traces?service=acme-shop" + times,
              prefix + "/api/traces?service=shared&limit=1500" + times,
              prefix + "/api/traces?traceID=" + SHARED_TRACE,
              prefix + "/api/traces?traceID=" + ACME_TRACE + "&traceID=" + SHARED_TRACE));
      questions.put(
          prefix + "/api/dependencies",
          List.of(prefix + "/api/dependencies?endTs=1795176200000&lookback=300000"));
      questions.put(prefix + "/api/v3/services", List.of(prefix + "/api/v3/services"));
      questions.put(
          prefix + "/api/v3/operations", List.of(prefix + "/api/v3/operations?service=acme-shop"));
      questions.put(
          prefix + "/api/v3/traces/:id", List.of(prefix + "/api/v3/traces/" + SHARED_TRACE));
      questions.put(
          prefix + "/api/v3/traces",
          List.of(
              prefix
                  + "/api/v3/traces?query.service_name=bravo-shop&query.start_time_min=2026-11-20T11:58:20Z&query.start_time_max=2026-11-20T12:03:20Z"));
    }
    questions.put("/jaeger/api/traces/:id", List.of("/jaeger/api/traces/" + SHARED_TRACE));
    String ours = "/api/headspan/v1/";
    questions.put(ours + "functions", List.of(ours + "functions?" + RANGE));
    questions.put(ours + "usage", List.of(ours + "usage?from=2026-11-20&to=2026-11-21"));
    for (String route : new String[] {"explain", "compare"}) {
      questions.put(
          ours + route,
          List.of(
              ours + route + "?service=bravo-shop&" + FROM_TO,
              ours + route + "?service=acme-shop&" + FROM_TO,
              ours + route + "?service=shared&" + FROM_TO,
              ours + route + "?service=shared&tenant=acme&" + FROM_TO,
              ours + route + "?service=shared&baseline=version:acme-1&" + FROM_TO,
              ours + route + "?service=acme-shop&baseline=acme-1&" + FROM_TO,
              ours + route + "?service=bravo-shop&baseline=1795175900/1795176010&" + FROM_TO,
              ours + route + ENOUGH_ON_BOTH_SIDES));
    }
    questions.put(
        ours + "neighbours",
        List.of(
            ours + "neighbours?" + FROM_TO,
            ours + "neighbours?victim=acme&" + FROM_TO,
            ours + "neighbours?culprit=acme&" + FROM_TO));
    questions.put(ours + "service-graph", List.of(ours + "service-graph?" + FROM_TO));
    questions.put(
        ours + "traces/:id/critical-path",
        List.of(
            ours + "traces/" + SHARED_TRACE + "/critical-path",
            ours + "traces/" + ACME_TRACE + "/critical-path"));
    questions.put(ours + "ledger", List.of(ours + "ledger?" + FROM_TO));
    questions.put(
        ours + "sampling",
        List.of(
            ours + "sampling?" + FROM_TO,
            ours + "sampling?from=2026-11-20&to=2026-11-21",
            ours + "sampling"));
    questions.put(
        ours + "traces/:id/decisions",
        List.of(
            ours + "traces/" + SHARED_TRACE + "/decisions",
            ours + "traces/" + ACME_TRACE + "/decisions"));
    questions.put(
        ours + "traces/:id/logs",
        List.of(
            ours + "traces/" + SHARED_TRACE + "/logs", ours + "traces/" + ACME_TRACE + "/logs"));
    questions.put(
        ours + "logs",
        List.of(
            ours + "logs?" + FROM_TO,
            ours + "logs?service=acme-shop&" + FROM_TO,
            ours + "logs?traceId=" + SHARED_TRACE));
    return questions;
  }

  @BeforeAll
  static void start() throws Exception {
    both = filled("both", true);
    alone = filled("alone", false);
    Path tokens =
        Files.writeString(
            directory.resolve("tokens.yaml"),
            """
            pseudonym_key: a secret of the platform
            tokens:
              - {name: bravo, role: tenant, tenants: bravo, requests_per_second: 1000, sha256: %s}
              - {name: oncall, role: operator, sha256: %s}
              - {name: slow, role: operator, requests_per_second: 0.001, sha256: %s}
              - {name: elsewhere, role: operator, regions: us, sha256: %s}
            """
                .formatted(
                    Tokens.hash(BRAVO),
                    Tokens.hash(OPERATOR),
                    Tokens.hash(SLOW),
                    Tokens.hash(ELSEWHERE)));
    bothGuarded = guarded(both, tokens, "both-audit");
    aloneGuarded = guarded(alone, tokens, "alone-audit");
    client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  }

  private static QueryApi guarded(RunningApi api, Path tokens, String audit) {
    return QueryApi.start(
        api.config(
            Map.of(
                "HEADSPAN_QUERY_TOKENS", tokens.toString(),
                "HEADSPAN_QUERY_REGION", "eu",
                "HEADSPAN_QUERY_AUDIT", directory.resolve(audit).toString())));
  }

  @AfterAll
  static void stop() {
    for (AutoCloseable each :
        new AutoCloseable[] {client, bothGuarded, aloneGuarded, both, alone}) {
      if (each != null) {
        try {
          each.close();
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      }
    }
  }

  @Test
  void anOperatorSeesWhereEverySpanIs() throws Exception {
    String ledger = as(OPERATOR, bothGuarded, "/api/headspan/v1/ledger?" + FROM_TO).body();
    assertThat(ledger)
        .contains(
            "{\"host\":\"host\",\"tenant\":\"acme\",\"state\":\"captured\",\"reason\":\"\",\"spans\":80}",
            "\"sender\":\"acme-and-bravo\"",
            "\"reason\":\"rate_limited\",\"records\":7");
    String own = as(BRAVO, bothGuarded, "/api/headspan/v1/ledger?" + FROM_TO).body();
    assertThat(own)
        .contains("\"tenant\":\"bravo\"", "\"spans\":120", "\"records\":7", "\"sender\":\"\"")
        .doesNotContain("acme");
  }

  private static LeftOut leftOut(String sender, String tenant) {
    return new LeftOut(NOON_NS, "collector-1", sender, tenant, "traces", "rate_limited", 7);
  }

  private static RunningApi filled(String name, boolean withAcme) throws Exception {
    MadeSpans spans = new MadeSpans();
    Function acme = new Function("acme", "acme-shop", "acme-1");
    Function bravo = new Function("bravo", "bravo-shop", "1");
    Times times = new Times(10, 0.1, 5, 3, 0, 1);
    for (int i = 0; i < 40; i++) {
      long trace = 1L + i;
      long startNs = NOON_NS + i * 1_000_000_000L;
      long first = 10 * trace;
      if (withAcme) {
        spans.nextId(first);
        long root =
            spans.served(
                acme,
                trace,
                0,
                startNs - 5_000_000,
                new Times(40, 0, 5, 3, 0, 9),
                Map.of("acme.note", "acme-note", "headspan.culprit", "bravo"));
        spans.called(acme, trace, root, startNs - 1_000_000, 20, true);
        spans.served(
            new Function("acme", "shared", "acme-1"), trace, root, startNs, times, Map.of());
      }
      // The same ids in both stores.
      spans.nextId(first + 5);
      long served =
          spans.served(
              bravo,
              trace,
              first + 2,
              startNs,
              times,
              Map.of("headspan.culprit", i % 2 == 0 ? "acme" : "charlie"));
      long called = spans.called(bravo, trace, served, startNs + 1_000_000, 2, false);
      spans.served(new Function("bravo", "shared", "1"), trace, served, startNs, times, Map.of());
      if (withAcme) {
        spans.served(
            acme,
            trace,
            called,
            startNs + 1_200_000,
            new Times(1.5, 0, 0.5, 1, 0, 0),
            Map.of("headspan.culprit", "charlie"));
      }
    }
    if (withAcme) {
      spans.nextId(0x99990);
      // A sampler before us let one in a thousand through.
      spans.traceState("ot=th:ffbe76c8b43958");
      spans.served(acme, 0x9999, 0, NOON_NS, times, Map.of("acme.note", "acme-note"));
    }
    RunningApi api = RunningApi.start(directory.resolve(name), spans.requests());
    decide(api, withAcme);
    List<NodeSignal.Interference.Cell> cells = new ArrayList<>();
    cells.add(new NodeSignal.Interference.Cell("bravo", "acme", 20_000_000, 2));
    cells.add(new NodeSignal.Interference.Cell("bravo", "{host}", 10_000_000, 2));
    if (withAcme) {
      cells.add(new NodeSignal.Interference.Cell("acme", "bravo", 30_000_000, 2));
    }
    api.store()
        .insert(
            new NodeReport(
                "agent",
                "boot",
                1,
                "host",
                NOON_NS + 1_000_000_000L,
                1_000_000_000L,
                new NodeSignal.Interference(cells)),
            "matrix");
    List<NodeSignal.Ledger.Entry> books = new ArrayList<>();
    books.add(new NodeSignal.Ledger.Entry("bravo", "captured", "", 120));
    List<LeftOut> leftOut = new ArrayList<>();
    leftOut.add(leftOut("acme-and-bravo", "bravo"));
    if (withAcme) {
      books.add(new NodeSignal.Ledger.Entry("acme", "captured", "", 80));
      leftOut.add(leftOut("acme-and-bravo", "acme"));
    }
    api.store()
        .insert(
            new NodeReport(
                "agent",
                "boot",
                2,
                "host",
                NOON_NS + 1_000_000_000L,
                0,
                new NodeSignal.Ledger(books)),
            "books");
    api.store().insertLeftOut(leftOut, "left out");
    api.sendLogs(List.of(log("bravo", "bravo-shop", "hello")));
    if (withAcme) {
      api.sendLogs(List.of(log("acme", "acme-shop", "acme-body")));
    }
    return api;
  }

  /// What a sampler wrote down of the traces: its policies are named after tenants.
  private static void decide(RunningApi api, boolean withAcme) {
    StringBuilder decisions = new StringBuilder();
    for (int i = 1; i <= 40; i++) {
      decisions.append(
          "(%1$d, %1$d, unhex('000000000000%2$s'), %3$d, ['%4$s'], 0, %5$d),"
              .formatted(
                  NOON_NS / 1_000_000,
                  "1234" + "%016x".formatted(i),
                  i % 2,
                  withAcme ? "acme-errors" : "rest",
                  withAcme ? 6 : 3));
    }
    if (withAcme) {
      decisions.append(
          "(%1$d, %1$d, unhex('000000000000%2$s'), 1, ['acme-errors'], 54043195528445952, 1),"
              .formatted(NOON_NS / 1_000_000, ACME_TRACE));
    }
    String ledger =
        "(%1$d, %1$d000, 'bravo', 'kept', 60), (%1$d, %1$d000, 'bravo', 'sampled_out', 60)";
    String ofAcme =
        ", (%1$d, %1$d000, 'acme', 'kept', 99), (%1$d, %1$d000, 'acme', 'recent_overrun', 7)";
    for (String sql :
        List.of(
            "INSERT INTO decisions (batch, decided, trace_id, kept, policies, threshold, rows) VALUES "
                + decisions.substring(0, decisions.length() - 1),
            "INSERT INTO sampling_ledger (window, closed, tenant, state, spans) VALUES "
                + (ledger + (withAcme ? ofAcme : "")).formatted(NOON_NS / 1_000_000_000L))) {
      api.store().query(SqlQuery.of(sql), row -> row.text(0));
    }
  }

  private static ExportLogsServiceRequest log(String tenant, String service, String body) {
    LogRecord record =
        LogRecord.newBuilder()
            .setTimeUnixNano(NOON_NS)
            .setObservedTimeUnixNano(NOON_NS)
            .setTraceId(
                ByteString.copyFrom(ByteBuffer.allocate(16).putLong(0x1234).putLong(1).flip()))
            .setBody(AnyValue.newBuilder().setStringValue(body))
            .build();
    return ExportLogsServiceRequest.newBuilder()
        .addResourceLogs(
            ResourceLogs.newBuilder()
                .setResource(
                    Resource.newBuilder()
                        .addAttributes(attribute("headspan.tenant", tenant))
                        .addAttributes(attribute("service.name", service)))
                .addScopeLogs(ScopeLogs.newBuilder().addLogRecords(record)))
        .build();
  }

  private static KeyValue attribute(String key, String value) {
    return KeyValue.newBuilder()
        .setKey(key)
        .setValue(AnyValue.newBuilder().setStringValue(value))
        .build();
  }

  private static HttpResponse<String> get(QueryApi api, String path, String... headers)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + api.port() + path));
    if (headers.length > 0) {
      request.headers(headers);
    }
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static HttpResponse<String> as(String token, QueryApi api, String path) throws Exception {
    return get(api, path, "Authorization", "Bearer " + token);
  }

  /// Every route that is there; of those without questions, the path itself.
  private static Map<String, List<String>> allQuestions() {
    Map<String, List<String>> all = new TreeMap<>(QUESTIONS);
    for (String route : bothGuarded.routes()) {
      all.putIfAbsent(route, List.of(route.replaceAll("[:{*][^/]*", "x")));
    }
    return all;
  }

  @Test
  void everyRouteIsAsked() {
    assertThat(bothGuarded.routes()).containsAll(QUESTIONS.keySet());
    assertThat(bothGuarded.routes())
        .filteredOn(route -> route.startsWith("/api") || route.startsWith("/jaeger"))
        .filteredOn(route -> !route.equals("/api/echo") && !route.equals("/api/status/buildinfo"))
        .isSubsetOf(QUESTIONS.keySet());
  }

  @Test
  void saysNothingWithoutAToken() throws Exception {
    for (Map.Entry<String, List<String>> route : allQuestions().entrySet()) {
      String path = route.getValue().getFirst();
      for (HttpResponse<String> answer :
          List.of(
              get(bothGuarded, path),
              as("no-token", bothGuarded, path),
              get(bothGuarded, path, "X-Scope-OrgID", "bravo"))) {
        boolean open = path.equals("/ready") || Page.isFile(path);
        assertThat(answer.statusCode()).as(path).isEqualTo(open ? 200 : 401);
        assertThat(answer.body().toLowerCase(Locale.ROOT)).as(path).doesNotContain("acme");
      }
    }
  }

  @Test
  void saysTheSameAsIfOthersWereNotThere() throws Exception {
    for (Map.Entry<String, List<String>> route : allQuestions().entrySet()) {
      if (route.getKey().equals("/metrics") || route.getKey().equals("/ready")) {
        continue;
      }
      for (String path : route.getValue()) {
        HttpResponse<String> withOthers = as(BRAVO, bothGuarded, path);
        HttpResponse<String> without = as(BRAVO, aloneGuarded, path);
        assertThat(withOthers.statusCode()).as("%s: %s", path, withOthers.body()).isLessThan(500);
        assertThat(withOthers.statusCode()).as(path).isEqualTo(without.statusCode());
        assertThat(withOthers.body()).as(path).isEqualTo(without.body());
        // An answer may repeat what was asked.
        if (!path.contains("tenant=acme") && !path.contains("baseline=")) {
          assertThat(withOthers.body())
              .as(path)
              .doesNotContain("acme-note", "acme-body", "acme-1", "\"acme\"");
        }
      }
    }
  }

  @Test
  void explainsACallOfATenantByItsOwnAccountsOnly() throws Exception {
    String path = "/api/headspan/v1/explain" + ENOUGH_ON_BOTH_SIDES;
    String ofOperator = as(OPERATOR, bothGuarded, path).body();
    assertThat(ofOperator).contains("CPU time taken from acme-shop (GET /item) by tenant charlie");
    JsonNode components = json(BRAVO, path).at("/mean/components");
    assertThat(components.findValuesAsText("text"))
        .contains("calls to somebody unknown (GET /item)");
    assertThat(components.findValues("within")).isEmpty();
  }

  @Test
  void answersOfOwnDataAreThere() throws Exception {
    JsonNode search =
        json(BRAVO, "/api/search?limit=100&" + RANGE + "&q=" + TestHttp.encoded("{}"));
    assertThat(search.get("traces")).hasSize(40);
    assertThat(search.at("/traces/0/rootServiceName").asText())
        .isEqualTo("<root span not yet received>");
    JsonNode pairs = json(BRAVO, "/api/headspan/v1/neighbours?" + FROM_TO).get("pairs");
    assertThat(pairs).hasSize(2);
    String pseudonym = pairs.get(0).get("culprit").asText();
    assertThat(pseudonym).matches("tenant-[0-9a-f]{12}");
    assertThat(pairs.get(1).get("culprit").asText()).isEqualTo("{host}");
    // The same pseudonym in spans, in a whole trace, and as a condition.
    JsonNode values =
        json(BRAVO, "/api/v2/search/tag/span.headspan.culprit/values?" + RANGE).get("tagValues");
    assertThat(values.findValuesAsText("value"))
        .hasSize(2)
        .contains(pseudonym)
        .allMatch(value -> value.matches("tenant-[0-9a-f]{12}"));
    assertThat(as(BRAVO, bothGuarded, "/api/v2/traces/" + SHARED_TRACE).body()).contains(pseudonym);
    String condition = TestHttp.encoded("{ span.headspan.culprit = \"" + pseudonym + "\" }");
    assertThat(json(BRAVO, "/api/search?limit=100&" + RANGE + "&q=" + condition).get("traces"))
        .hasSize(20);
    JsonNode logs = json(BRAVO, "/api/headspan/v1/traces/" + SHARED_TRACE + "/logs").get("logs");
    assertThat(logs.findValuesAsText("body")).containsExactly("hello");
    JsonNode sampling = json(BRAVO, "/api/headspan/v1/sampling?" + FROM_TO);
    assertThat(sampling.get("decided").asInt()).isEqualTo(40);
    assertThat(sampling.get("kept").asInt()).isEqualTo(20);
    assertThat(sampling.get("tenants").findValuesAsText("tenant")).containsExactly("bravo");
    assertThat(
            json(BRAVO, "/api/headspan/v1/traces/" + SHARED_TRACE + "/decisions").get("decisions"))
        .hasSize(1);
    assertThat(
            json(BRAVO, "/api/headspan/v1/compare?service=bravo-shop&" + FROM_TO)
                .at("/total/now/invocations")
                .asInt())
        .isEqualTo(40);
    assertThat(json(BRAVO, "/api/traces?traceID=" + SHARED_TRACE).at("/data/0/spans")).hasSize(3);
  }

  private static JsonNode json(String token, String path) throws Exception {
    HttpResponse<String> answer = as(token, bothGuarded, path);
    assertThat(answer.statusCode()).as("%s: %s", path, answer.body()).isEqualTo(200);
    return new ObjectMapper().readTree(answer.body());
  }

  @Test
  void operatorsSeeAllAndNames() throws Exception {
    JsonNode search =
        json(OPERATOR, "/api/search?limit=100&" + RANGE + "&q=" + TestHttp.encoded("{}"));
    assertThat(search.at("/traces/0/rootServiceName").asText()).isEqualTo("acme-shop");
    assertThat(json(OPERATOR, "/api/headspan/v1/neighbours?" + FROM_TO).findValuesAsText("culprit"))
        .contains("acme", "bravo", "{host}");
    JsonNode sampling = json(OPERATOR, "/api/headspan/v1/sampling?" + FROM_TO);
    assertThat(sampling.get("decided").asInt()).isEqualTo(41);
    assertThat(sampling.findValuesAsText("policy")).contains("acme-errors");
    assertThat(
            json(OPERATOR, "/api/headspan/v1/functions?" + RANGE)
                .get("functions")
                .findValuesAsText("count"))
        .contains("1080");
    assertThat(as(OPERATOR, bothGuarded, "/metrics").statusCode()).isEqualTo(200);
    assertThat(as(BRAVO, bothGuarded, "/metrics").statusCode()).isEqualTo(403);
  }

  @Test
  void theHeaderNarrowsAndNeverWidens() throws Exception {
    String path = "/api/headspan/v1/functions?" + RANGE;
    HttpResponse<String> others =
        get(bothGuarded, path, "Authorization", "Bearer " + BRAVO, "X-Scope-OrgID", "acme");
    assertThat(others.statusCode()).isEqualTo(403);
    HttpResponse<String> more =
        get(bothGuarded, path, "Authorization", "Bearer " + BRAVO, "X-Scope-OrgID", "bravo|acme");
    assertThat(more.statusCode()).isEqualTo(403);
    HttpResponse<String> narrowed =
        get(bothGuarded, path, "Authorization", "Bearer " + OPERATOR, "X-Scope-OrgID", "acme");
    assertThat(narrowed.body()).contains("acme-shop").doesNotContain("bravo");
  }

  @Test
  void takesTheTokenAsAPassword() throws Exception {
    String basic =
        Base64.getEncoder().encodeToString(("any:" + BRAVO).getBytes(StandardCharsets.UTF_8));
    assertThat(get(bothGuarded, "/api/echo", "Authorization", "Basic " + basic).statusCode())
        .isEqualTo(200);
    HttpResponse<String> none = get(bothGuarded, "/api/echo", "Authorization", "Basic !");
    assertThat(none.statusCode()).isEqualTo(401);
    assertThat(none.headers().firstValue("WWW-Authenticate"))
        .hasValueSatisfying(value -> assertThat(value).contains("Bearer", "Basic realm="));
    assertThat(
            get(bothGuarded, "/api/echo", "X-Requested-With", "headspan-page")
                .headers()
                .firstValue("WWW-Authenticate"))
        .as("the page asks for a token itself")
        .contains("Bearer");
  }

  @Test
  void othersDoNotFillALargeTrace() throws Exception {
    try (QueryApi few = few(both, "few-both");
        QueryApi fewAlone = few(alone, "few-alone")) {
      String path = "/api/v2/traces/" + SHARED_TRACE;
      HttpResponse<String> answer = as(BRAVO, few, path);
      assertThat(answer.body()).isEqualTo(as(BRAVO, fewAlone, path).body());
      assertThat(answer.body()).contains("\"spanId\"", "PARTIAL");
    }
  }

  /// An API that answers one span of a trace at most.
  private static QueryApi few(RunningApi api, String audit) {
    return QueryApi.start(
        api.config(
            Map.of(
                "HEADSPAN_QUERY_TOKENS",
                directory.resolve("tokens.yaml").toString(),
                "HEADSPAN_QUERY_REGION",
                "eu",
                "HEADSPAN_QUERY_AUDIT",
                directory.resolve(audit).toString(),
                "HEADSPAN_QUERY_TRACE_SPANS",
                "1")));
  }

  @Test
  void refusesTooManyRequestsAndOtherRegions() throws Exception {
    assertThat(as(SLOW, bothGuarded, "/api/echo").statusCode()).isEqualTo(200);
    HttpResponse<String> second = as(SLOW, bothGuarded, "/api/echo");
    assertThat(second.statusCode()).isEqualTo(429);
    assertThat(second.body()).contains("token=slow");
    HttpResponse<String> elsewhere = as(ELSEWHERE, bothGuarded, "/api/echo");
    assertThat(elsewhere.statusCode()).isEqualTo(403);
    assertThat(elsewhere.body()).contains("region=eu");
  }

  @Test
  void writesDownWhatWasAsked() throws Exception {
    Path file = directory.resolve("both-audit");
    assertThat(as(BRAVO, bothGuarded, "/api/echo?mark=written-down").statusCode()).isEqualTo(200);
    long deadlineNs = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!Files.readString(file).contains("written-down")) {
      assertThat(System.nanoTime()).isLessThan(deadlineNs);
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    }
    String line =
        Files.readAllLines(file).stream()
            .filter(each -> each.contains("written-down"))
            .findFirst()
            .orElseThrow();
    JsonNode record = new ObjectMapper().readTree(line);
    assertThat(record.get("token").asText()).isEqualTo("bravo");
    assertThat(record.get("path").asText()).isEqualTo("/api/echo");
    assertThat(record.get("status").asInt()).isEqualTo(200);
    assertThat(line).doesNotContain(BRAVO);
    assertThat(AuditLog.verify(file, "").problem()).isEmpty();
  }

  @Test
  void grpcSaysTheSameAsIfOthersWereNotThere() {
    for (MethodDescriptor<?, ?> method : StreamingQuerierGrpc.getServiceDescriptor().getMethods()) {
      for (Message question : grpcQuestions(requireNonNull(method.getBareMethodName()))) {
        List<String> withOthers = call(bothGuarded, method, question, BRAVO);
        assertThat(withOthers)
            .as("%s %s", method.getBareMethodName(), question)
            .isNotEmpty()
            .isEqualTo(call(aloneGuarded, method, question, BRAVO));
        assertThat(String.join("", withOthers)).doesNotContain("acme");
        assertThatThrownBy(() -> call(bothGuarded, method, question, "no-token"))
            .isInstanceOf(StatusRuntimeException.class)
            .hasMessageContaining("UNAUTHENTICATED");
      }
    }
  }

  private static List<Message> grpcQuestions(String method) {
    int start = 1_795_175_900;
    int end = 1_795_176_200;
    long second = 1_000_000_000L;
    return switch (method) {
      case "Search" ->
          List.of(SearchRequest.newBuilder().setQuery("{}").setStart(start).setEnd(end).build());
      case "SearchTags", "SearchTagsV2" ->
          List.of(SearchTagsRequest.newBuilder().setStart(start).setEnd(end).build());
      case "SearchTagValues", "SearchTagValuesV2" ->
          List.of(
              SearchTagValuesRequest.newBuilder()
                  .setTagName("span.headspan.culprit")
                  .setStart(start)
                  .setEnd(end)
                  .build(),
              SearchTagValuesRequest.newBuilder()
                  .setTagName("resource.service.name")
                  .setStart(start)
                  .setEnd(end)
                  .build());
      case "MetricsQueryRange" ->
          List.of(
              QueryRangeRequest.newBuilder()
                  .setQuery("{} | count_over_time() by (span.headspan.culprit)")
                  .setStart(start * second)
                  .setEnd(end * second)
                  .setStep(60 * second)
                  .build());
      case "MetricsQueryInstant" ->
          List.of(
              QueryInstantRequest.newBuilder()
                  .setQuery("{} | count_over_time() by (rootServiceName)")
                  .setStart(start * second)
                  .setEnd(end * second)
                  .build());
      default -> throw new AssertionError("nothing is asked of this method: " + method);
    };
  }

  @SuppressWarnings("unchecked")
  private static List<String> call(
      QueryApi api, MethodDescriptor<?, ?> method, Message question, String token) {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", api.port()).usePlaintext().build();
    try {
      Channel authorized =
          ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
      List<String> answers = new ArrayList<>();
      ClientCalls.blockingServerStreamingCall(
              authorized,
              (MethodDescriptor<Message, Message>) method,
              CallOptions.DEFAULT,
              question)
          .forEachRemaining(answer -> answers.add(answer.toString()));
      return answers;
    } finally {
      channel.shutdownNow();
    }
  }
}
