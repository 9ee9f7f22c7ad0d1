package io.headspan.loadgen.service;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;

/// A function as a platform would run it: answers every path, keeps connections alive, and knows
/// nothing of tracing. With `--next` it calls another service first and hands on the `traceparent`
/// it was given, unchanged, as a service without an SDK does.
///
/// Arguments: `--port N`, `--name TEXT`, `--work-micros N` (CPU time to burn per request), `--next
/// URL` (POSTed to, response included), `--forward false` (hands on no headers), `--threads N`
/// (platform threads that serve; virtual threads without limit if 0), `--calls own-thread` (the
/// thread that serves writes the call itself; else a thread of the client does, for all). Query
/// parameters of a request: `status=N` answers with that status; `bytes=N` with a body of that
/// size; `sleep=N` waits N milliseconds first; `cpu=N` burns N microseconds of CPU time first,
/// which takes longer if others have the CPU (with `--threads` only); `halt=N` ends the process
/// with that exit status instead; `allocate=N` takes N MiB of memory first and keeps them;
/// `redis=PORT` asks a Redis server on this machine for two keys first.
///
/// Prints `ready on PORT` when it listens. Ends when it is killed.
public final class HttpService {
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(20);

  private final String name;
  private final long workMicros;
  private final String next;
  private final boolean forwards;
  private final boolean callsOnOwnThread;

  /// Never closed: what a request allocates is lost.
  private final Arena kept = Arena.ofShared();

  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(5))
          .build();

  private HttpService(
      String name, long workMicros, String next, boolean forwards, boolean callsOnOwnThread) {
    this.callsOnOwnThread = callsOnOwnThread;
    this.name = name;
    this.workMicros = workMicros;
    this.next = next;
    this.forwards = forwards;
  }

  public static void main(String[] arguments) throws IOException {
    // Without it a response in two writes waits for the client's delayed acknowledgement.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i], arguments[i + 1]);
    }
    int port = Integer.parseInt(options.getOrDefault("--port", "0"));
    HttpService service =
        new HttpService(
            options.getOrDefault("--name", "service"),
            Long.parseLong(options.getOrDefault("--work-micros", "0")),
            options.getOrDefault("--next", ""),
            Boolean.parseBoolean(options.getOrDefault("--forward", "true")),
            options.getOrDefault("--calls", "").equals("own-thread"));
    String host = options.getOrDefault("--host", "0.0.0.0");
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getByName(host), port), 1024);
    int threads = Integer.parseInt(options.getOrDefault("--threads", "0"));
    server.setExecutor(
        threads == 0
            ? Executors.newVirtualThreadPerTaskExecutor()
            : Executors.newFixedThreadPool(threads));
    server.createContext("/", service::handle);
    server.start();
    System.out.println("ready on " + server.getAddress().getPort());
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      burn(workMicros);
      Map<String, String> query = query(exchange.getRequestURI());
      misbehave(query);
      burnCpu(Long.parseLong(query.getOrDefault("cpu", "0")));
      int status = Integer.parseInt(query.getOrDefault("status", "200"));
      String called = next.isEmpty() ? "null" : call(exchange);
      byte[] body =
          query.containsKey("bytes")
              ? new byte[Integer.parseInt(query.getOrDefault("bytes", "0"))]
              : "{\"service\":\"%s\",\"next\":%s}\n"
                  .formatted(name, called)
                  .getBytes(StandardCharsets.UTF_8);
      boolean empty = status == 204 || status == 304 || exchange.getRequestMethod().equals("HEAD");
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(status, empty ? -1 : body.length);
      if (!empty) {
        exchange.getResponseBody().write(body);
      }
    }
  }

  private String call(HttpExchange exchange) throws IOException {
    Map<String, String> headers = new HashMap<>();
    for (String header : new String[] {"traceparent", "tracestate"}) {
      String value = exchange.getRequestHeaders().getFirst(header);
      if (forwards && value != null) {
        headers.put(header, value);
      }
    }
    String body = "{\"from\":\"" + name + "\"}";
    return callsOnOwnThread ? callOnOwnThread(headers, body) : callByClient(headers, body);
  }

  private String callOnOwnThread(Map<String, String> headers, String body) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) URI.create(next).toURL().openConnection();
    connection.setRequestMethod("POST");
    connection.setDoOutput(true);
    headers.forEach(connection::setRequestProperty);
    connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
    try (InputStream response = connection.getInputStream()) {
      return answer(
          connection.getResponseCode(),
          new String(response.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  private String callByClient(Map<String, String> headers, String body) throws IOException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(next))
            .timeout(CALL_TIMEOUT)
            .POST(HttpRequest.BodyPublishers.ofString(body));
    headers.forEach(request::header);
    try {
      HttpResponse<String> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofString());
      return answer(response.statusCode(), response.body());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("call interrupted: next=" + next, e);
    }
  }

  private static String answer(int status, String body) {
    return "{\"status\":%d,\"body\":%s}".formatted(status, body.isBlank() ? "null" : body.strip());
  }

  /// Does to the process what functions do that are in trouble.
  private void misbehave(Map<String, String> query) throws IOException {
    if (query.containsKey("halt")) {
      Runtime.getRuntime().halt(Integer.parseInt(query.getOrDefault("halt", "")));
    }
    int mebibytes = Integer.parseInt(query.getOrDefault("allocate", "0"));
    if (mebibytes > 0) {
      // Zeroed, and so really taken.
      var _ = kept.allocate((long) mebibytes << 20);
    }
    if (query.containsKey("redis")) {
      String key = query.get("key");
      askRedis(
          Integer.parseInt(query.getOrDefault("redis", "")),
          key == null ? List.of("price", "stock") : List.of(key));
    }
    try {
      Thread.sleep(Long.parseLong(query.getOrDefault("sleep", "0")));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting", e);
    }
  }

  private static void askRedis(int port, List<String> keys) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      for (String key : keys) {
        socket
            .getOutputStream()
            .write(
                "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n"
                    .formatted(key.length(), key)
                    .getBytes(StandardCharsets.US_ASCII));
        if (socket.getInputStream().read() < 0) {
          throw new IOException("no answer of Redis: port=" + port);
        }
        // Whatever else there is of the answer.
        socket.getInputStream().skipNBytes(socket.getInputStream().available());
      }
    }
  }

  private static void burn(long micros) {
    long end = System.nanoTime() + micros * 1_000;
    while (System.nanoTime() - end < 0) {
      Thread.onSpinWait();
    }
  }

  private static void burnCpu(long micros) {
    if (micros == 0) {
      return;
    }
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    long end = threads.getCurrentThreadCpuTime() + micros * 1_000;
    while (threads.getCurrentThreadCpuTime() < end) {
      Thread.onSpinWait();
    }
  }

  private static Map<String, String> query(URI uri) {
    Map<String, String> parameters = new HashMap<>();
    String query = uri.getQuery();
    if (query != null) {
      for (String pair : query.split("&", -1)) {
        int equals = pair.indexOf('=');
        if (equals > 0) {
          parameters.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
      }
    }
    return parameters;
  }
}
