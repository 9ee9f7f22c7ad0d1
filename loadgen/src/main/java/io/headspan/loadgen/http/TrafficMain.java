package io.headspan.loadgen.http;

import io.headspan.wire.TraceContext;
import java.io.BufferedWriter;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

/// Sends requests to an [io.headspan.loadgen.service.HttpService] and writes down each one that was
/// answered. A program of its own, so that it can run in another network namespace.
///
/// Arguments: `--target HOST:PORT`, `--requests N`, `--connections N`, `--seed N`, `--log FILE`,
/// `--rate N` (requests per second in all; as fast as answered if absent). Requests vary at random:
/// method, status asked for, sizes of bodies, and how the head is cut (whole, in a few pieces, in
/// single bytes); now and then a connection is closed and opened anew.
///
/// Each line of the log: trace id, parent span id, method, status, when its connection was made,
/// when it was sent and when its answer had been read; in hex, hex, text, decimal and nanoseconds
/// of CLOCK_MONOTONIC. A request whose answer was lost with its connection is not in it, and ends
/// the program with status 1.
public final class TrafficMain {
  private static final int[] STATUSES = {200, 200, 200, 200, 204, 304, 404, 500, 503};
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(60);
  private static final int REQUESTS_PER_CONNECTION = 200;

  private final InetSocketAddress target;
  private final int requests;
  private final long gapNs;
  private final AtomicInteger next = new AtomicInteger();
  private final BufferedWriter log;
  private final long startedNs = System.nanoTime();

  private TrafficMain(InetSocketAddress target, int requests, long gapNs, BufferedWriter log) {
    this.target = target;
    this.requests = requests;
    this.gapNs = gapNs;
    this.log = log;
  }

  public static void main(String[] arguments)
      throws IOException, InterruptedException, ExecutionException {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      options.put(arguments[i], arguments[i + 1]);
    }
    String address = required(options, "--target");
    int colon = address.lastIndexOf(':');
    InetSocketAddress target =
        new InetSocketAddress(
            address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
    int connections = Integer.parseInt(options.getOrDefault("--connections", "16"));
    long seed = Long.parseLong(options.getOrDefault("--seed", "1"));
    String rate = options.getOrDefault("--rate", "");
    long gapNs = rate.isEmpty() ? 0 : 1_000_000_000L / Long.parseLong(rate);
    try (BufferedWriter log =
            Files.newBufferedWriter(
                Path.of(required(options, "--log")), StandardCharsets.US_ASCII);
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      TrafficMain traffic =
          new TrafficMain(target, Integer.parseInt(required(options, "--requests")), gapNs, log);
      SplittableRandom root = new SplittableRandom(seed);
      for (Future<Integer> sent :
          IntStream.range(0, connections)
              .mapToObj(i -> root.split())
              .map(random -> threads.submit(() -> traffic.drive(random)))
              .toList()) {
        sent.get();
      }
    }
  }

  private static String required(Map<String, String> options, String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException("missing option: " + name);
    }
    return value;
  }

  /// Sends requests one after another until all are sent; returns how many this thread sent.
  private int drive(SplittableRandom random) throws IOException {
    int sent = 0;
    while (next.get() < requests) {
      try (HttpConnection connection = HttpConnection.open(target, READ_TIMEOUT)) {
        long connectedNs = System.nanoTime();
        int quota = 1 + random.nextInt(REQUESTS_PER_CONNECTION);
        for (int i = 0; i < quota; i++) {
          int number = next.getAndIncrement();
          if (number >= requests) {
            return sent;
          }
          pace(number);
          exchange(connection, connectedNs, random);
          sent++;
        }
      }
    }
    return sent;
  }

  private void exchange(HttpConnection connection, long connectedNs, SplittableRandom random)
      throws IOException {
    TraceContext context =
        new TraceContext(random.nextLong(), random.nextLong(), random.nextLong() | 1, (byte) 1, "");
    String method =
        switch (random.nextInt(6)) {
          case 0, 1 -> "POST";
          case 2 -> "HEAD";
          default -> "GET";
        };
    int status = STATUSES[random.nextInt(STATUSES.length)];
    int responseBytes = random.nextInt(20) == 0 ? 60_000 : random.nextInt(300);
    String body = method.equals("POST") ? "x".repeat(random.nextInt(4_000)) : "";
    byte[] request =
        HttpConnection.request(
            method,
            "/items/" + random.nextInt(1_000) + "?status=" + status + "&bytes=" + responseBytes,
            "traffic.headspan.local",
            body,
            "User-Agent: headspan-traffic",
            "Accept: */*",
            "traceparent: " + context.traceparent());
    long sentNs = System.nanoTime();
    connection.send(request, pieces(random, request.length - body.length()));
    int answered = connection.readResponse(method.equals("HEAD"));
    long answeredNs = System.nanoTime();
    if (answered != status) {
      throw new IOException("wrong status: expected=" + status + ", found=" + answered);
    }
    String line =
        context.traceId()
            + " "
            + TraceContext.hexId(context.spanId())
            + " "
            + method
            + " "
            + status
            + " "
            + connectedNs
            + " "
            + sentNs
            + " "
            + answeredNs
            + "\n";
    synchronized (log) {
      log.write(line);
    }
  }

  /// How to cut a head of this many bytes: mostly whole, else in a few pieces, else byte by byte.
  private static int[] pieces(SplittableRandom random, int headBytes) {
    int choice = random.nextInt(10);
    if (choice < 6) {
      return new int[0];
    }
    if (choice < 9) {
      return new int[] {
        1 + random.nextInt(20),
        1 + random.nextInt(60),
        1 + random.nextInt(100),
        1 + random.nextInt(4)
      };
    }
    int[] single = new int[headBytes];
    Arrays.fill(single, 1);
    return single;
  }

  /// Waits until request `number` is due.
  private void pace(int number) {
    long dueNs = startedNs + number * gapNs;
    for (long left = dueNs - System.nanoTime();
        gapNs > 0 && left > 0;
        left = dueNs - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }
}
