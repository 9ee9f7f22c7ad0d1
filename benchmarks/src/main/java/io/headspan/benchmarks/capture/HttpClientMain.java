package io.headspan.benchmarks.capture;

import io.headspan.loadgen.http.HttpConnection;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;

/// Asks a [WebServer] at a fixed rate, which `wrk` cannot, and says how long the answers took; see
/// [CallLoop]. Arguments: port, prefix of the trace ids, connections, requests per second, seconds.
final class HttpClientMain {
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(5);

  private record Requests(HttpConnection connection) implements CallLoop.Connection {
    @Override
    public void call(String traceparent) throws IOException {
      connection.send(
          HttpConnection.request(
              "GET", "/items/1", "127.0.0.1", "", "traceparent: " + traceparent));
      int status = connection.readResponse(false);
      if (status != 200) {
        throw new IOException("wrong status: status=" + status);
      }
    }

    @Override
    public void close() throws IOException {
      connection.close();
    }
  }

  private HttpClientMain() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    InetSocketAddress address =
        new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0]));
    System.out.println(
        CallLoop.run(
            () -> new Requests(HttpConnection.open(address, READ_TIMEOUT)),
            arguments[1],
            Integer.parseInt(arguments[2]),
            Integer.parseInt(arguments[3]),
            Integer.parseInt(arguments[4])));
  }
}
