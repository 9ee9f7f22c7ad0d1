package io.headspan.benchmarks.capture;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;

/// Calls a server over several connections, one call after the other on each, and says how long
/// they took. As fast as answered, a call takes from when it is sent. At a fixed rate it takes from
/// when it was due, so that a call which waits for the one before has waited; what is late is sent
/// at once, and none is left out.
///
/// First the client gets warm, with calls as fast as answered that are not counted.
final class CallLoop {
  private static final long WARM_UP_NS = TimeUnit.SECONDS.toNanos(2);

  private final Connector connector;
  private final String prefix;
  private final int connections;
  private final long gapNs;
  private final long warmNs;
  private final long untilNs;

  /// Opens connections.
  interface Connector {
    Connection open() throws IOException;
  }

  /// One call at a time. A call that fails is not answered, and counted.
  interface Connection extends AutoCloseable {
    void call(String traceparent) throws IOException;

    @Override
    void close() throws IOException;
  }

  /// @param latenciesNs of the calls that were answered
  private record Calls(long[] latenciesNs, long errors) {}

  private CallLoop(
      Connector connector, String prefix, int connections, int perSecond, int seconds) {
    this.connector = connector;
    this.prefix = prefix;
    this.connections = connections;
    gapNs = perSecond == 0 ? 0 : TimeUnit.SECONDS.toNanos(1) / perSecond;
    warmNs = System.nanoTime() + WARM_UP_NS;
    untilNs = warmNs + TimeUnit.SECONDS.toNanos(seconds);
  }

  /// Calls, and gives the line of [RunReport].
  ///
  /// @param prefix 16 hex digits that begin the trace ids
  /// @param perSecond calls on all connections together; 0 for as fast as answered
  static String run(Connector connector, String prefix, int connections, int perSecond, int seconds)
      throws IOException, InterruptedException {
    return new CallLoop(connector, prefix, connections, perSecond, seconds).run();
  }

  private String run() throws IOException, InterruptedException {
    List<Calls> all = new ArrayList<>();
    try (ExecutorService callers = Executors.newFixedThreadPool(connections)) {
      List<Future<Calls>> running = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        int number = i;
        running.add(callers.submit(() -> call(number)));
      }
      for (Future<Calls> each : running) {
        all.add(each.get());
      }
    } catch (ExecutionException e) {
      throw new IOException("calls failed: " + e.getCause(), e);
    }
    double seconds = (System.nanoTime() - warmNs) / 1e9;
    long[] latenciesNs =
        all.stream().flatMapToLong(calls -> LongStream.of(calls.latenciesNs)).sorted().toArray();
    return RunReport.line(
        latenciesNs.length,
        seconds,
        percentileUs(latenciesNs, 50),
        percentileUs(latenciesNs, 99),
        all.stream().mapToLong(Calls::errors).sum());
  }

  private Calls call(int number) throws IOException {
    try (Connection connection = connector.open()) {
      long[] latenciesNs = new long[1024];
      int answered = 0;
      long errors = 0;
      long calls = 0;
      while (System.nanoTime() - warmNs < 0) {
        connection.call(traceparent(number, ++calls));
      }
      for (long i = 0; ; i++) {
        long dueNs = gapNs == 0 ? System.nanoTime() : warmNs + (i * connections + number) * gapNs;
        if (dueNs - untilNs >= 0) {
          return new Calls(Arrays.copyOf(latenciesNs, answered), errors);
        }
        for (long left = dueNs - System.nanoTime(); left > 0; left = dueNs - System.nanoTime()) {
          LockSupport.parkNanos(left);
        }
        try {
          connection.call(traceparent(number, ++calls));
        } catch (IOException e) {
          System.err.println(e.getMessage());
          errors++;
          continue;
        }
        if (answered == latenciesNs.length) {
          latenciesNs = Arrays.copyOf(latenciesNs, answered * 2);
        }
        latenciesNs[answered++] = System.nanoTime() - dueNs;
      }
    }
  }

  private String traceparent(int number, long call) {
    String id = HexFormat.of().toHexDigits((short) number) + HexFormat.of().toHexDigits(call, 12);
    return "00-" + prefix + id + "-" + id + "-01";
  }

  private static double percentileUs(long[] sortedNs, int percent) {
    if (sortedNs.length == 0) {
      throw new IllegalStateException("no call was answered");
    }
    return sortedNs[(int) ((long) (sortedNs.length - 1) * percent / 100)] / 1e3;
  }
}
