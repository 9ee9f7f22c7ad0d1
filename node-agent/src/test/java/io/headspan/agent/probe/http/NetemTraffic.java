package io.headspan.agent.probe.http;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/// The traffic of HttpProbeNetemBpfIT, in processes of its own because a network namespace belongs
/// to a process. What a request with a number looks like and how it is answered follows from the
/// number alone.
final class NetemTraffic {
  private static final int[] STATUSES = {200, 201, 202, 404, 500, 503};
  private static final int[] PIECE_MAX = {1, 7, 60, 500, 5000};
  private static final int REQUESTS_PER_CONNECTION = 12;
  private static final int READ_TIMEOUT_MILLIS = 60_000;

  private NetemTraffic() {}

  /// `server ADDRESS`: prints its port and serves until its input ends. `client ADDRESS PORT
  /// REQUESTS CONNECTIONS`: sends the requests and prints how many were answered as expected.
  public static void main(String[] arguments) throws Exception {
    InetAddress address = InetAddress.getByName(arguments[1]);
    if (arguments[0].equals("server")) {
      try (var server = new TestServer(address, NetemTraffic::serve)) {
        System.out.println(server.port());
        System.in.transferTo(OutputStream.nullOutputStream());
      }
    } else {
      int port = Integer.parseInt(arguments[2]);
      int requests = Integer.parseInt(arguments[3]);
      int connections = Integer.parseInt(arguments[4]);
      System.out.println(send(new InetSocketAddress(address, port), requests, connections));
    }
  }

  static String path(int number) {
    return "/netem/" + number;
  }

  static String traceparent(int number) {
    return "00-%032x-%016x-01".formatted(number + 1, number + 1);
  }

  static int status(int number) {
    return STATUSES[number % STATUSES.length];
  }

  static String request(int number) {
    // Every third head is longer than a segment, and than what the kernel keeps.
    String padding =
        number % 3 == 0 ? "X-Padding: " + "p".repeat(100 + number % 3000) + "\r\n" : "";
    int body = bodyLength(number);
    return (body > 0 ? "POST " : "GET ")
        + path(number)
        + " HTTP/1.1\r\nHost: netem\r\n"
        + padding
        + (body > 0 ? "Content-Length: " + body + "\r\n" : "")
        + "traceparent: "
        + traceparent(number)
        + "\r\n\r\n";
  }

  /// Length of the response to a request, head and body.
  static int responseLength(int number) {
    return response(number).length();
  }

  private static int bodyLength(int number) {
    return number % 4 == 1 ? number % 6000 : 0;
  }

  private static String response(int number) {
    int length = number % 5 == 2 ? number % 9000 : number % 100;
    String head = "HTTP/1.1 " + status(number) + " Because\r\n";
    return number % 2 == 0
        ? head + "Content-Length: " + length + "\r\n\r\n" + "r".repeat(length)
        : head
            + "Transfer-Encoding: chunked\r\n\r\n"
            + (length == 0 ? "" : "%x\r\n%s\r\n".formatted(length, "c".repeat(length)))
            + "0\r\n\r\n";
  }

  private static void serve(TestServer.Connection connection) throws IOException {
    var random = new Random(connection.socket().getPort());
    for (var head = connection.readHead(); head.isPresent(); head = connection.readHead()) {
      String path = head.get().substring(head.get().indexOf('/'), head.get().indexOf(" HTTP"));
      int number = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
      connection.readBody(bodyLength(number));
      write(connection.out(), response(number), random);
    }
  }

  private static int send(InetSocketAddress server, int requests, int connections)
      throws InterruptedException, ExecutionException {
    var next = new AtomicInteger();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Integer>> answered = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        answered.add(executor.submit(() -> send(server, next, requests)));
      }
      int sum = 0;
      for (Future<Integer> count : answered) {
        sum += count.get();
      }
      return sum;
    }
  }

  private static int send(InetSocketAddress server, AtomicInteger next, int requests)
      throws IOException {
    int answered = 0;
    int number = next.getAndIncrement();
    while (number < requests) {
      var random = new Random(number);
      try (var socket = new Socket()) {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(READ_TIMEOUT_MILLIS);
        socket.connect(server, READ_TIMEOUT_MILLIS);
        InputStream in = new BufferedInputStream(socket.getInputStream());
        for (int i = 0; i < REQUESTS_PER_CONNECTION && number < requests; i++) {
          write(socket.getOutputStream(), request(number) + "b".repeat(bodyLength(number)), random);
          String expected = response(number);
          String response =
              new String(in.readNBytes(expected.length()), StandardCharsets.ISO_8859_1);
          if (!response.equals(expected)) {
            throw new IOException("unexpected answer: number=" + number + ", " + response);
          }
          answered++;
          number = next.getAndIncrement();
        }
      }
    }
    return answered;
  }

  private static void write(OutputStream out, String text, Random random) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    int pieceMax = PIECE_MAX[random.nextInt(PIECE_MAX.length)];
    int at = 0;
    while (at < bytes.length) {
      // Single bytes only for the first ones: a body in such pieces takes too long.
      int max = at > 300 ? Math.max(pieceMax, 500) : pieceMax;
      int length = Math.min(1 + random.nextInt(max), bytes.length - at);
      out.write(bytes, at, length);
      at += length;
    }
    out.flush();
  }
}
