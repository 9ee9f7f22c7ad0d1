package io.headspan.query.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.Server;
import io.headspan.query.TestHttp;
import io.headspan.query.access.Access;
import io.headspan.query.access.AccessSettings;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreException;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.http.AcceptLoop;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Queries whose caller goes away, or which want more than they may have.
class CancellationIT {
  /// Takes a minute, in steps of half a second.
  private static final SqlQuery SLOW =
      SqlQuery.of("SELECT sleepEachRow(0.5) FROM numbers(120)").setting("max_block_size", "1");

  private static final SqlQuery RUNNING =
      SqlQuery.of(
          "SELECT count() FROM system.processes WHERE query LIKE '%sleepEach%' "
              + "AND query NOT LIKE '%system.processes%'");

  @TempDir static Path directory;
  private static StoreProcess process;
  private static SpanStore store;

  @BeforeAll
  static void start() {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
  }

  @AfterAll
  static void stop() {
    if (process != null) {
      store.close();
      process.close();
    }
  }

  /// `/it` on a server as the query API is one.
  private static final class ServedPath implements AutoCloseable {
    private final QueryThreads threads = new QueryThreads(2, 2, Clock.systemUTC());
    private final Access access;
    private final Server server;

    ServedPath(Duration requestTimeout, Function<QueryThreads, HttpService> service)
        throws IOException {
      access = Access.of(AccessSettings.OPEN, IllegalArgumentException::new);
      server =
          Server.builder()
              .bossGroupFactory(AcceptLoop::start)
              .decorator(access::decorate)
              .http(0)
              .requestTimeout(requestTimeout)
              .errorHandler(QueryThreads::timedOut)
              .service("/it", service.apply(threads))
              .build();
      server.start().join();
    }

    int port() {
      return server.activeLocalPort();
    }

    @Override
    public void close() {
      server.close();
      access.close();
      threads.close();
    }
  }

  private static Queries queries(Duration limit) {
    return new Queries(store, new QueryLimits(limit, 1 << 30, 10), Optional.empty());
  }

  @Test
  void queryEndsWhenItsCallerGoes() throws Exception {
    Queries queries = queries(Duration.ofSeconds(50));
    CompletableFuture<StoreException> failure = new CompletableFuture<>();
    try (ServedPath path =
        new ServedPath(
            Duration.ofSeconds(55),
            threads ->
                threads.service(request -> {
                  try {
                    queries.run(request, SLOW, row -> row.integer(0));
                  } catch (StoreException e) {
                    failure.complete(e);
                  }
                  return HttpResponse.of("done");
                }))) {
      try (Socket caller = new Socket("127.0.0.1", path.port())) {
        caller
            .getOutputStream()
            .write("GET /it HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        awaitRunning(1);
      }
      assertThat(failure.get(10, TimeUnit.SECONDS).kind())
          .isEqualTo(StoreException.Kind.UNAVAILABLE);
      awaitRunning(0);
    }
  }

  /// The store is held, so that the read is surely under way.
  @Test
  void readOfATraceEndsWhenItsCallerGoes() throws Exception {
    Queries queries = queries(Duration.ofSeconds(50));
    CompletableFuture<Void> began = new CompletableFuture<>();
    CompletableFuture<RuntimeException> failure = new CompletableFuture<>();
    try (ServedPath path =
        new ServedPath(
            Duration.ofSeconds(55),
            threads ->
                threads.service(request -> {
                  began.complete(null);
                  try {
                    queries.trace(request, 1, 2);
                  } catch (StoreException | RequestException e) {
                    failure.complete(e);
                  }
                  return HttpResponse.of("done");
                }))) {
      signal("STOP");
      try {
        try (Socket caller = new Socket("127.0.0.1", path.port())) {
          caller
              .getOutputStream()
              .write("GET /it HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          began.get(10, TimeUnit.SECONDS);
        }
        // Well before the store's own limit, and that of its client.
        assertThat(failure.get(20, TimeUnit.SECONDS)).isNotNull();
      } finally {
        signal("CONT");
      }
    }
  }

  /// As of a stream, which has no limit of its own: its statements together have a request's.
  @Test
  void streamEndsWithTheTimeOfARequest() throws Exception {
    Queries queries = queries(Duration.ofSeconds(50));
    CompletableFuture<StoreException> failure = new CompletableFuture<>();
    try (ServedPath path =
            new ServedPath(
                Duration.ofSeconds(2),
                threads ->
                    (context, _) -> {
                      context.clearRequestTimeout();
                      threads.run(
                          context,
                          request -> {
                            try {
                              queries.run(request, SLOW, row -> row.integer(0));
                            } catch (StoreException e) {
                              failure.complete(e);
                            }
                          });
                      return HttpResponse.streaming();
                    });
        HttpClient client = HttpClient.newHttpClient()) {
      java.net.http.HttpResponse<byte[]> response = TestHttp.get(client, path.port(), "/it", "*/*");
      assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(422);
      assertThat(TestHttp.text(response)).contains("limitMillis=2000");
      assertThat(failure.get(10, TimeUnit.SECONDS)).isNotNull();
      awaitRunning(0);
    }
  }

  private static void signal(String name) throws Exception {
    Process kill =
        new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).inheritIO().start();
    assertThat(kill.waitFor()).isZero();
  }

  private static void awaitRunning(long count) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (store.query(RUNNING, row -> row.integer(0)).getFirst() != count) {
      assertThat(System.nanoTime()).as("queries running, want=%d", count).isLessThan(deadline);
      Thread.sleep(20);
    }
  }

  @Test
  void queryEndsAtItsLimit() throws Exception {
    Queries queries = queries(Duration.ofSeconds(1));
    try (ServedPath path =
            new ServedPath(
                Duration.ofSeconds(10),
                threads ->
                    threads.service(request -> {
                      queries.run(request, SLOW, row -> row.integer(0));
                      return HttpResponse.of("done");
                    }));
        HttpClient client = HttpClient.newHttpClient()) {
      java.net.http.HttpResponse<byte[]> response = TestHttp.get(client, path.port(), "/it", "*/*");
      assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(422);
      assertThat(TestHttp.text(response)).contains("shorter time range");
    }
  }

  /// Several statements may take longer together than each of them may.
  @Test
  void requestThatTakesTooLongSaysSo() throws Exception {
    Queries queries = queries(Duration.ofSeconds(50));
    try (ServedPath path =
            new ServedPath(
                Duration.ofSeconds(2),
                threads ->
                    threads.service(request -> {
                      queries.run(request, SLOW, row -> row.integer(0));
                      return HttpResponse.of("done");
                    }));
        HttpClient client = HttpClient.newHttpClient()) {
      java.net.http.HttpResponse<byte[]> response = TestHttp.get(client, path.port(), "/it", "*/*");
      assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(422);
      assertThat(TestHttp.text(response)).contains("limitMillis=2000", "shorter time range");
      awaitRunning(0);
    }
  }
}
