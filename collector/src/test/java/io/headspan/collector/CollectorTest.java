package io.headspan.collector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.collector.receive.ArrowClient;
import io.headspan.collector.receive.RecordedStream;
import io.opentelemetry.proto.experimental.arrow.v1.StatusCode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// A collector whose store is away.
class CollectorTest {
  @Test
  void runsWithoutItsStoreAndSaysSo() throws Exception {
    try (Collector collector = Collector.start(config(0))) {
      Await.until("the reason", () -> get(collector, "/ready").body().contains("store"));

      HttpResponse<String> ready = get(collector, "/ready");
      assertThat(ready.statusCode()).isEqualTo(503);
      assertThat(get(collector, "/live").statusCode()).isEqualTo(200);
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("127.0.0.1", collector.port()).usePlaintext().build();
      ArrowClient client = ArrowClient.open(channel);
      client.sendAll(RecordedStream.batches("01-one-bare-span"), 0);
      assertThat(client.awaitCodes(1)).containsExactly(Map.entry(0L, StatusCode.UNAVAILABLE));
      assertThat(get(collector, "/metrics").body())
          .contains(
              "headspan_collector_store_ready 0",
              "headspan_collector_batches_received_total{protocol=\"otap\"} 1.0",
              "headspan_collector_spans_rejected_total"
                  + "{protocol=\"otap\",reason=\"store_unavailable\"} 1.0",
              "headspan_collector_spans_stored_total{protocol=\"otlp_grpc\"} 0.0",
              "headspan_collector_insert_seconds_count 0",
              "headspan_collector_decode_seconds_count{protocol=\"otap\"} 1",
              "headspan_collector_in_flight_bytes 0",
              "headspan_collector_streams 1");
      channel.shutdownNow();
    }
  }

  @Test
  void saysWhichPortIsTakenAndWhatToDo() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      assertThatThrownBy(() -> Collector.start(config(taken.getLocalPort())))
          .isInstanceOfSatisfying(
              CollectorException.class,
              e -> assertThat(e.kind()).isEqualTo(CollectorException.Kind.LISTEN))
          .hasMessageMatching(
              "the collector cannot listen: address=127\\.0\\.0\\.1:"
                  + taken.getLocalPort()
                  + ", reason=.*[Aa]ddress already in use.*; stop what uses the port, or set"
                  + " another address with --listen or HEADSPAN_COLLECTOR_LISTEN");
    }
  }

  @Test
  void doesNotKnowOtherSignals() throws Exception {
    try (Collector collector = Collector.start(config(0))) {
      assertThat(get(collector, "/v1/profiles").statusCode()).isEqualTo(404);
    }
  }

  /// A collector whose store is at a port that nothing listens on.
  private static CollectorConfig config(int port) {
    return CollectorConfig.from(
        Map.of(
            "HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:" + port,
            "HEADSPAN_COLLECTOR_STORE", "http://127.0.0.1:1",
            "HEADSPAN_COLLECTOR_CLOSE_TIMEOUT", "5s"));
  }

  private static HttpResponse<String> get(Collector collector, String path) {
    try (HttpClient client = HttpClient.newHttpClient()) {
      return client.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + collector.port() + path)).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
