package io.headspan.wasm;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/// Requests to one executor. Bodies of answers are read as Latin-1, so that every byte is a
/// character.
final class Http implements AutoCloseable {
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final int port;

  Http(int port) {
    this.port = port;
  }

  HttpResponse<String> deploy(String path, byte[] module) {
    return send("PUT", path, module);
  }

  HttpResponse<String> post(String path, String body, String... headers) {
    return send("POST", path, TestModules.ascii(body), headers);
  }

  HttpResponse<String> get(String path) {
    return send("GET", path, new byte[0]);
  }

  HttpResponse<String> send(String method, String path, byte[] body, String... headers) {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .timeout(Duration.ofSeconds(60))
            .method(method, BodyPublishers.ofByteArray(body));
    for (int i = 0; i < headers.length; i += 2) {
      request.header(headers[i], headers[i + 1]);
    }
    try {
      return client.send(request.build(), BodyHandlers.ofString(StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      throw new AssertionError("no answer: " + method + " " + path, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted: " + method + " " + path, e);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
