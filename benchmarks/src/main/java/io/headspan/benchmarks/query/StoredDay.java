package io.headspan.benchmarks.query;

import io.headspan.benchmarks.BenchArguments;
import io.headspan.benchmarks.TemporaryDirectory;
import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.query.QueryApi;
import io.headspan.query.QueryConfig;
import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.Utf8Table;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/// A store with spans of the 24 hours that end now, as many in each minute, and a query API on it:
/// the store in a process of its own, the API asked over HTTP as Grafana does.
final class StoredDay implements AutoCloseable {
  private static final int SPANS = 10_000_000;
  private static final int MINUTES = 24 * 60;
  private static final long SEED = 1;
  private static final long NS_PER_SECOND = 1_000_000_000L;
  private static final double NS_PER_MS = 1e6;
  private static final Duration QUIET_TIMEOUT = Duration.ofMinutes(15);
  private static final String SEARCHED_KEY = "url.full";

  private final Path directory;
  private final boolean keep;
  private final StoreProcess process;
  private final SpanStore store;
  private final QueryApi api;
  private final HttpClient http = HttpClient.newHttpClient();
  private final Instant end;
  private final List<Pick> picks = new ArrayList<>();

  /// A span that is there.
  ///
  /// @param value of its attribute `url.full`
  record Pick(String traceId, String service, String value) {}

  private StoredDay(
      Path directory,
      boolean keep,
      StoreProcess process,
      SpanStore store,
      QueryApi api,
      Instant end) {
    this.directory = directory;
    this.keep = keep;
    this.process = process;
    this.store = store;
    this.api = api;
    this.end = end;
  }

  /// A filled store that has merged what it was given.
  ///
  /// @param arguments how many spans, a little less if they cannot be spread evenly, 10 million
  ///   without; and a directory for the store, which then stays there for the next time
  static StoredDay of(String... arguments) throws IOException, InterruptedException {
    int spans = BenchArguments.of("[SPANS [DIRECTORY]]", 2, arguments).number(0, SPANS, MINUTES);
    boolean keep = arguments.length > 1;
    Path directory =
        keep
            ? Files.createDirectories(Path.of(arguments[1]))
            : Files.createTempDirectory("headspan-bench-");
    Path filled = directory.resolve("filled-until");
    boolean isFilled = Files.exists(filled);
    Instant end =
        isFilled
            ? Instant.parse(Files.readString(filled))
            : Instant.now().truncatedTo(ChronoUnit.MINUTES);
    StoreProcess process = StoreProcess.start(directory);
    SpanStore store = SpanStore.connect(process.address());
    store.migrate();
    QueryApi api =
        QueryApi.start(
            QueryConfig.from(
                Map.of(
                    "HEADSPAN_QUERY_LISTEN",
                    "127.0.0.1:0",
                    "HEADSPAN_QUERY_STORE",
                    process.address().toString())));
    StoredDay day = new StoredDay(directory, keep, process, store, api, end);
    day.fill(spans / MINUTES, !isFilled);
    if (keep) {
      Files.writeString(filled, end.toString());
    }
    return day;
  }

  /// @param anew whether the spans are not there yet
  private void fill(int perMinute, boolean anew) throws IOException, InterruptedException {
    Random random = new Random(1);
    long beganNs = System.nanoTime();
    for (int minute = 0; minute < MINUTES; minute++) {
      long startNs = end.minus(Duration.ofMinutes(MINUTES - minute)).getEpochSecond();
      SpanBatch batch =
          new SyntheticSpans(SEED, SEED + 1 + minute, startNs * NS_PER_SECOND).next(perMinute);
      if (anew) {
        store.insert(batch, "bench/" + minute);
      }
      pick(batch, random);
    }
    double seconds = (System.nanoTime() - beganNs) / 1e9;
    System.out.printf(
        Locale.ROOT,
        "%,d spans %s, %,.0f spans/s%n",
        MINUTES * perMinute,
        anew ? "stored" : "are stored, made again",
        MINUTES * perMinute / seconds);
    awaitMerges();
  }

  /// Takes note of one span that has the attribute.
  private void pick(SpanBatch batch, Random random) {
    Utf8Table table = batch.table();
    Attributes attributes = batch.spanAttributes();
    int begin = random.nextInt(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      int span = (begin + i) % batch.size();
      for (int row = attributes.begin(span); row < attributes.end(span); row++) {
        if (attributes.type(row) == AttributeType.STRING
            && table.string(attributes.key(row)).equals(SEARCHED_KEY)) {
          HexFormat hex = HexFormat.of();
          picks.add(
              new Pick(
                  hex.toHexDigits(batch.traceIdHigh(span))
                      + hex.toHexDigits(batch.traceIdLow(span)),
                  service(batch, span),
                  table.string((int) attributes.value(row))));
          return;
        }
      }
    }
  }

  private static String service(SpanBatch batch, int span) {
    Attributes attributes = batch.resourceAttributes();
    int resource = batch.scopeResource(batch.scope(span));
    for (int row = attributes.begin(resource); row < attributes.end(resource); row++) {
      if (batch.table().string(attributes.key(row)).equals("service.name")) {
        return batch.table().string((int) attributes.value(row));
      }
    }
    throw new IllegalStateException("a span without service: span=" + span);
  }

  /// Returns when the store merges nothing any more.
  private void awaitMerges() throws IOException, InterruptedException {
    long deadlineNs = System.nanoTime() + QUIET_TIMEOUT.toNanos();
    int quiet = 0;
    while (quiet < 10) {
      if (System.nanoTime() > deadlineNs) {
        throw new IOException("the store did not come to rest: within=" + QUIET_TIMEOUT);
      }
      Thread.sleep(200);
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + process.address().port() + "/"))
                  .POST(HttpRequest.BodyPublishers.ofString("SELECT count() FROM system.merges"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      quiet = answer.body().strip().equals("0") ? quiet + 1 : 0;
    }
  }

  /// When the last span began, to the minute.
  Instant end() {
    return end;
  }

  /// One of the spans, evenly over the day.
  Pick pick(int number) {
    return picks.get((int) ((long) number * 7919 % picks.size()));
  }

  /// Asks, and says how long the whole answer took, in ms.
  ///
  /// @param path with its query
  /// @param wanted what the answer has to hold
  double ask(String path, String wanted) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + api.port() + path)).build();
    long beganNs = System.nanoTime();
    HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
    double ms = (System.nanoTime() - beganNs) / NS_PER_MS;
    if (answer.statusCode() != 200 || !answer.body().contains(wanted)) {
      throw new IOException(
          "not the answer: path=%s, status=%d, wanted=%s, body=%s"
              .formatted(
                  path,
                  answer.statusCode(),
                  wanted,
                  answer.body().substring(0, Math.min(500, answer.body().length()))));
    }
    return ms;
  }

  /// The parameters `start` and `end` for the last so many.
  String range(Duration length) {
    return "start=" + end.minus(length).getEpochSecond() + "&end=" + end.getEpochSecond();
  }

  static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  @Override
  public void close() throws IOException {
    api.close();
    store.close();
    process.close();
    if (keep) {
      return;
    }
    new TemporaryDirectory(directory).close();
  }
}
