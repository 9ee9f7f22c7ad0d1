package io.headspan.query.page;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import com.google.protobuf.ByteString;
import io.headspan.query.QueryApi;
import io.headspan.query.RunningApi;
import io.headspan.query.ShopTraffic;
import io.headspan.query.TestHttp;
import io.headspan.storage.SqlQuery;
import io.headspan.wire.access.Tokens;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Interference.Cell;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.logs.v1.LogRecord;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import io.opentelemetry.proto.logs.v1.ScopeLogs;
import io.opentelemetry.proto.logs.v1.SeverityNumber;
import io.opentelemetry.proto.resource.v1.Resource;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Status;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/// The page as a browser and as a person with a browser see it. Alone, for it says how long pages
/// may take.
@Isolated
class PageIT {
  private static final int MINUTES = 20;
  private static final int TRACES_PER_MINUTE = 30;
  private static final int REPORT_SECONDS = 10;
  private static final long NS_PER_MS = 1_000_000;
  private static final int LARGE_TRACE_SPANS = 50_000;
  private static final int SPANS_PER_REQUEST = 5_000;
  private static final String LARGE_TRACE_ID = "000000000000000000000000000c0ffe";
  private static final Duration BROWSER_DEADLINE = Duration.ofMinutes(4);

  @TempDir static Path directory;

  private static final String TOKEN = "a-token-for-an-engineer";

  private static RunningApi api;
  private static QueryApi guarded;

  @BeforeAll
  static void start() throws IOException {
    long minute = Instant.now().getEpochSecond() / 60 - MINUTES - 1;
    long startNs = minute * 60_000_000_000L;
    List<ExportTraceServiceRequest> requests =
        new ArrayList<>(new ShopTraffic(7, startNs, MINUTES, TRACES_PER_MINUTE).requests());
    ExportLogsServiceRequest logs = logs(requests);
    requests.addAll(largeTrace(startNs));
    api = RunningApi.start(directory, requests);
    api.sendLogs(List.of(logs));
    decide(minute * 60);
    long seconds = minute * 60;
    for (int report = 0; report < MINUTES * 60 / REPORT_SECONDS; report++) {
      api.store().insert(matrix(report, seconds), "matrix-" + report);
    }
    guarded =
        QueryApi.start(
            api.config(
                Map.of(
                    "HEADSPAN_QUERY_TOKENS",
                    Files.writeString(
                            directory.resolve("tokens.yaml"),
                            "tokens: [{name: oncall, role: operator, sha256: %s}]"
                                .formatted(Tokens.hash(TOKEN)))
                        .toString())));
  }

  /// What functions logged: the gateway where a request begins, once without its span, the
  /// catalogue 1 ms after its start, and payments where it fails.
  private static ExportLogsServiceRequest logs(List<ExportTraceServiceRequest> requests) {
    ExportLogsServiceRequest.Builder logs = ExportLogsServiceRequest.newBuilder();
    for (ExportTraceServiceRequest request : requests) {
      for (ResourceSpans resource : request.getResourceSpansList()) {
        String service = resource.getResource().getAttributes(0).getValue().getStringValue();
        Span span = resource.getScopeSpans(0).getSpans(0);
        ScopeLogs.Builder records = ScopeLogs.newBuilder();
        if (span.getKind() != Span.SpanKind.SPAN_KIND_SERVER) {
          continue;
        }
        if (service.equals("gateway")) {
          records
              .addLogRecords(log(span, 0, SeverityNumber.SEVERITY_NUMBER_INFO, "request begins"))
              .addLogRecords(
                  log(span, 500_000, SeverityNumber.SEVERITY_NUMBER_DEBUG, "connection reused")
                      .clearSpanId());
        } else if (service.equals("catalog")) {
          records.addLogRecords(
              log(span, NS_PER_MS, SeverityNumber.SEVERITY_NUMBER_WARN, "not in the cache")
                  .addAttributes(ShopTraffic.text("item", "42")));
        } else if (span.getStatus().getCode() == Status.StatusCode.STATUS_CODE_ERROR) {
          records.addLogRecords(
              log(span, 2 * NS_PER_MS, SeverityNumber.SEVERITY_NUMBER_ERROR, "it failed"));
        }
        logs.addResourceLogs(
            ResourceLogs.newBuilder().setResource(resource.getResource()).addScopeLogs(records));
      }
    }
    return logs.build();
  }

  private static LogRecord.Builder log(
      Span span, long afterNs, SeverityNumber severity, String text) {
    return LogRecord.newBuilder()
        .setTimeUnixNano(span.getStartTimeUnixNano() + afterNs)
        .setTraceId(span.getTraceId())
        .setSpanId(span.getSpanId())
        .setSeverityNumber(severity)
        .setSeverityText(severity.name().replace("SEVERITY_NUMBER_", ""))
        .setBody(AnyValue.newBuilder().setStringValue(text));
  }

  /// What an agent tells of 10 s: every wait of every thread it watches, of which most are nobody
  /// else's doing.
  private static NodeReport matrix(int report, long startSeconds) {
    int minute = report * REPORT_SECONDS / 60;
    List<Cell> cells = new ArrayList<>();
    if (minute >= ShopTraffic.NOISY_FROM && minute < ShopTraffic.NOISY_UNTIL) {
      cells.add(new Cell("shop", "media", 3_000 * NS_PER_MS, 900));
      cells.add(new Cell("media", "shop", 40 * NS_PER_MS, 30));
    }
    cells.add(new Cell("shop", "shop", 4_000 * NS_PER_MS, 2_000));
    cells.add(new Cell("shop", "{idle}", 300 * NS_PER_MS, 5_000));
    cells.add(new Cell("shop", "{kernel}", 20 * NS_PER_MS, 100));
    cells.add(new Cell("shop", "{host}", 5 * NS_PER_MS, 20));
    cells.add(new Cell("media", "media", 6_000 * NS_PER_MS, 100));
    cells.add(new Cell("acme", "shop", 2 * NS_PER_MS, 5));
    cells.add(new Cell("acme", "{idle}", 30 * NS_PER_MS, 200));
    return new NodeReport(
        "agent",
        "boot",
        report,
        "node-1",
        (startSeconds + (report + 1L) * REPORT_SECONDS) * 1_000 * NS_PER_MS,
        REPORT_SECONDS * 1_000 * NS_PER_MS,
        new NodeSignal.Interference(cells));
  }

  /// What a sampler writes down.
  private static void decide(long second) {
    for (String sql :
        List.of(
            """
            INSERT INTO decisions (batch, decided, trace_id, kept, policies, threshold, rows) VALUES \
            (%1$d, %1$d, unhex('%2$s'), 1, ['errors'], 0, 50000), \
            (%1$d, %1$d, unhex('%3$032x'), 1, ['rest'], 54043195528445952, 12), \
            (%1$d, %1$d, unhex('%4$032x'), 0, [], 0, 9)\
            """
                .formatted(second * 1_000, LARGE_TRACE_ID, 1, 2),
            """
            INSERT INTO sampling_ledger (window, closed, tenant, state, spans) VALUES \
            (%1$d, %1$d000, 'shop', 'kept', 50012), (%1$d, %1$d000, 'shop', 'sampled_out', 9)\
            """
                .formatted(second))) {
      api.store().query(SqlQuery.of(sql), row -> row.text(0));
    }
  }

  @AfterAll
  static void stop() {
    guarded.close();
    api.close();
  }

  @Test
  void servesItselfWithAStrictPolicy() throws Exception {
    HttpResponse<byte[]> page = api.get("/", "text/html");
    assertThat(page.statusCode()).isEqualTo(200);
    assertThat(page.headers().firstValue("content-type")).contains("text/html; charset=utf-8");
    assertThat(page.headers().firstValue("cache-control")).contains("no-cache");
    assertThat(page.headers().firstValue("content-security-policy").orElseThrow())
        .startsWith("default-src 'self';")
        .doesNotContain("unsafe");
    assertThat(TestHttp.text(page)).doesNotContain("<style", "style=", "onclick");
  }

  @Test
  void namesScriptAndStyleAfterTheirContent() throws Exception {
    String page = TestHttp.text(api.get("/", "text/html"));
    Matcher file =
        Pattern.compile("(?:src|href)=\"([a-z]+-[A-Z0-9]{8}\\.(?:js|css))\"").matcher(page);
    int files = 0;
    while (file.find()) {
      files++;
      HttpResponse<byte[]> response = api.get("/" + file.group(1), "*/*");
      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.headers().firstValue("cache-control").orElseThrow())
          .contains("immutable");
      assertThat(response.headers().firstValue("x-content-type-options")).contains("nosniff");
    }
    assertThat(files).isEqualTo(2);
  }

  /// By clicking and typing, in a headless Chromium: `query-api/web/test/browser.mjs`.
  @Test
  void answersAnEngineerInABrowser() throws Exception {
    Path web = Path.of("web").toAbsolutePath();
    Optional<Path> chromium = chromium();
    if (chromium.isEmpty()) {
      skip("no chromium on PATH; ./dev setup installs it");
    }
    if (!Files.isDirectory(web.resolve("node_modules/playwright-core"))) {
      skip("playwright-core is not installed; ./dev setup installs it");
    }
    Path output = Files.createTempFile(directory, "browser", ".log");
    ProcessBuilder builder =
        new ProcessBuilder("node", "--test", "test/browser.mjs")
            .directory(web.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().put("HEADSPAN_PAGE", "http://127.0.0.1:" + api.port() + "/");
    builder.environment().put("HEADSPAN_CHROMIUM", chromium.orElseThrow().toString());
    builder.environment().put("HEADSPAN_LARGE_TRACE", LARGE_TRACE_ID);
    builder.environment().put("HEADSPAN_GUARDED_PAGE", "http://127.0.0.1:" + guarded.port() + "/");
    builder.environment().put("HEADSPAN_TOKEN", TOKEN);
    builder
        .environment()
        .put(
            "HEADSPAN_PICTURES",
            Files.createDirectories(Path.of("target/pictures").toAbsolutePath()).toString());
    Process browser = builder.start();
    try {
      boolean ended = browser.waitFor(BROWSER_DEADLINE.toMillis(), TimeUnit.MILLISECONDS);
      assertThat(ended).as("ended in time; so far:%n%s", Files.readString(output)).isTrue();
      assertThat(browser.exitValue()).as(Files.readString(output)).isZero();
    } finally {
      browser.descendants().forEach(ProcessHandle::destroyForcibly);
      browser.destroyForcibly();
    }
  }

  private static void skip(String reason) {
    assertThat(System.getenv("CI")).as(reason).isNotEqualTo("true");
    abort(reason);
  }

  private static Optional<Path> chromium() {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
        .flatMap(directory ->
            Stream.of("chromium", "chromium-browser", "google-chrome")
                .map(Path.of(directory)::resolve))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /// A trace as large as the API answers whole: a root with workers, each with a chain of calls.
  private static List<ExportTraceServiceRequest> largeTrace(long startNs) {
    ByteString traceId =
        ByteString.copyFrom(ByteBuffer.allocate(16).putLong(0).putLong(0xc0ffe).flip());
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    ScopeSpans.Builder spans = ScopeSpans.newBuilder();
    for (int i = 0; i < LARGE_TRACE_SPANS; i++) {
      Span.Builder span =
          Span.newBuilder()
              .setTraceId(traceId)
              .setSpanId(id(i))
              .setName("step " + i)
              .setKind(Span.SpanKind.SPAN_KIND_SERVER)
              .setStartTimeUnixNano(startNs + i * 1_000L)
              .setEndTimeUnixNano(startNs + LARGE_TRACE_SPANS * 1_000L)
              .addAttributes(ShopTraffic.number("headspan.cpu_ns", 500 + i));
      if (i > 0) {
        span.setParentSpanId(id(i % 100 < 2 ? 0 : i - 1));
      }
      spans.addSpans(span);
      if (spans.getSpansCount() == SPANS_PER_REQUEST) {
        requests.add(
            ExportTraceServiceRequest.newBuilder()
                .addResourceSpans(
                    ResourceSpans.newBuilder()
                        .setResource(
                            Resource.newBuilder()
                                .addAttributes(ShopTraffic.text("service.name", "batch")))
                        .addScopeSpans(spans))
                .build());
        spans.clearSpans();
      }
    }
    return requests;
  }

  private static ByteString id(int index) {
    return ByteString.copyFrom(ByteBuffer.allocate(8).putLong(index + 1L).flip());
  }
}
