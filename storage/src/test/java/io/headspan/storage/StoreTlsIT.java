package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A store behind TLS with a certificate that only the address's own file vouches for, and a
/// password that is in a file: the embedded store behind a proxy that ends TLS and looks for both.
final class StoreTlsIT {
  private static final long NOON_NS = 1_795_176_000_000_000_000L;
  private static final String STORE_PASSWORD = "changeit";
  private static final String SECRET = "pass word/of?the&user";

  @TempDir private Path directory;

  @Test
  void storesAndReadsThroughTls() throws Exception {
    Path keys = directory.resolve("keys.p12");
    keytool(
        keys,
        "-genkeypair",
        "-alias",
        "store",
        "-keyalg",
        "EC",
        "-dname",
        "CN=store",
        "-ext",
        "san=ip:127.0.0.1");
    Path ca = directory.resolve("ca.pem");
    keytool(keys, "-exportcert", "-rfc", "-alias", "store", "-file", ca.toString());
    Path password = Files.writeString(directory.resolve("password"), SECRET + "\n");
    AtomicReference<Optional<String>> seen = new AtomicReference<>(Optional.empty());
    try (StoreProcess process = StoreProcess.start(directory.resolve("store"));
        HttpClient client = HttpClient.newHttpClient()) {
      HttpsServer proxy = HttpsServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
      proxy.setHttpsConfigurator(new HttpsConfigurator(context(keys)));
      proxy.createContext(
          "/",
          exchange -> {
            seen.set(credentials(exchange));
            pass(exchange, client, process.address());
          });
      proxy.start();
      String node = "https://me@127.0.0.1:" + proxy.getAddress().getPort() + "/tls";
      try (SpanStore store =
              SpanStore.connect(
                  StoreAddress.parse(node + "?password_file=" + password + "&ca=" + ca));
          SpanStore stranger = SpanStore.connect(StoreAddress.parse(node))) {
        store.migrate();
        SpanBatch batch = new RandomSpans(1).batch(50, NOON_NS);
        store.insert(batch, "over tls");
        assertThat(store.query(SqlQuery.of("SELECT count() FROM spans"), row -> row.integer(0)))
            .containsExactly(50L);
        assertThat(seen.get()).contains("me:" + SECRET);
        assertThatThrownBy(stranger::migrate)
            .isInstanceOf(StoreException.class)
            .hasMessageContaining("cannot be reached")
            .hasMessageNotContaining("me@");
      } finally {
        proxy.stop(0);
      }
    }
  }

  /// User and password as ClickHouse takes them: in headers of its own, or as Basic.
  private static Optional<String> credentials(HttpExchange exchange) {
    String user = exchange.getRequestHeaders().getFirst("X-ClickHouse-User");
    if (user != null) {
      return Optional.of(user + ":" + exchange.getRequestHeaders().getFirst("X-ClickHouse-Key"));
    }
    String basic = exchange.getRequestHeaders().getFirst("Authorization");
    return Optional.ofNullable(basic)
        .map(value ->
            new String(
                Base64.getDecoder().decode(value.substring("Basic ".length())),
                StandardCharsets.UTF_8));
  }

  private static void pass(HttpExchange exchange, HttpClient client, StoreAddress store)
      throws IOException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(store.endpoint() + exchange.getRequestURI()))
            .method(
                exchange.getRequestMethod(),
                HttpRequest.BodyPublishers.ofByteArray(exchange.getRequestBody().readAllBytes()));
    exchange
        .getRequestHeaders()
        .forEach((name, values) -> {
          if (name.regionMatches(true, 0, "X-ClickHouse-Database", 0, 21)
              || name.regionMatches(true, 0, "X-ClickHouse-Format", 0, 19)) {
            values.forEach(value -> request.header(name, value));
          }
        });
    try {
      HttpResponse<InputStream> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
      response
          .headers()
          .map()
          .forEach((name, values) -> {
            if (name.startsWith("x-clickhouse")) {
              values.forEach(value -> exchange.getResponseHeaders().add(name, value));
            }
          });
      exchange.sendResponseHeaders(response.statusCode(), 0);
      try (OutputStream body = exchange.getResponseBody()) {
        response.body().transferTo(body);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  private static SSLContext context(Path keys) throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(keys.toFile(), STORE_PASSWORD.toCharArray());
    KeyManagerFactory managers =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(store, STORE_PASSWORD.toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    return context;
  }

  private static void keytool(Path keys, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of(arguments));
    command.addAll(
        List.of(
            "-storetype", "PKCS12", "-keystore", keys.toString(), "-storepass", STORE_PASSWORD));
    Process process = new ProcessBuilder(command).inheritIO().start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
  }
}
