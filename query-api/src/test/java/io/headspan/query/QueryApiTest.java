package io.headspan.query;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueryApiTest {
  /// Port 1 of this machine, where nothing listens.
  private static final Map<String, String> WITHOUT_STORE =
      Map.of("HEADSPAN_QUERY_LISTEN", "127.0.0.1:0", "HEADSPAN_QUERY_STORE", "http://127.0.0.1:1");

  private static QueryApi api;
  private static HttpClient client;

  @BeforeAll
  static void start() {
    api = QueryApi.start(QueryConfig.from(WITHOUT_STORE));
    client = HttpClient.newHttpClient();
  }

  @AfterAll
  static void stop() {
    client.close();
    api.close();
  }

  private static HttpResponse<byte[]> get(String path) throws Exception {
    return TestHttp.get(client, api.port(), path, "application/json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/ready",
        "/api/search?q=%7B%7D",
        "/api/traces/1",
        "/api/v2/traces/1",
        "/api/v2/search/tags",
        "/api/v2/search/tag/name/values",
        "/api/headspan/v1/functions"
      })
  void says503WithTheReasonWhileTheStoreIsAway(String path) throws Exception {
    HttpResponse<byte[]> response = get(path);
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(503);
    assertThat(TestHttp.text(response)).contains("store").contains("127.0.0.1:1");
  }

  @Test
  void answersWithoutStoreWhatNeedsNone() throws Exception {
    for (String path : new String[] {"/api/echo", "/api/status/buildinfo", "/metrics"}) {
      assertThat(get(path).statusCode()).isEqualTo(200);
    }
    HttpResponse<byte[]> bad = get("/api/search?q=%7B");
    assertThat(bad.statusCode()).isEqualTo(400);
    assertThat(TestHttp.text(bad)).contains("line 1, column 2").contains("end of the query");
    assertThat(get("/nosuch").statusCode()).isEqualTo(404);
  }

  @Test
  void namesTheOccupiedPortAndTheRemedy() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      QueryConfig config =
          QueryConfig.from(Map.of("HEADSPAN_QUERY_LISTEN", "127.0.0.1:" + taken.getLocalPort()));
      assertThatThrownBy(() -> QueryApi.start(config))
          .isInstanceOfSatisfying(
              QueryException.class, e -> assertThat(e.kind()).isEqualTo(QueryException.Kind.LISTEN))
          .hasMessageContaining("address=127.0.0.1:" + taken.getLocalPort())
          .hasMessageContaining("HEADSPAN_QUERY_LISTEN");
    }
  }
}
