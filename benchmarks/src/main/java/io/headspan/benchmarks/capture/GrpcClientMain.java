package io.headspan.benchmarks.capture;

import io.grpc.CallOptions;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;

/// Calls a [GrpcServerMain] over several connections, one call after the other on each, and says
/// how long calls took. Arguments: port, prefix of the trace ids, connections, pause in ms,
/// seconds.
final class GrpcClientMain {
  private static final Metadata.Key<String> TRACEPARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);
  private static final byte[] REQUEST = new byte[64];
  private static final int CALLS_MAX = 2_000_000;

  /// @param latenciesNs of the calls that were answered
  private record Calls(long[] latenciesNs, long errors) {}

  private GrpcClientMain() {}

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    String prefix = arguments[1];
    int connections = Integer.parseInt(arguments[2]);
    long pauseNs = TimeUnit.MILLISECONDS.toNanos(Integer.parseInt(arguments[3]));
    long durationNs = TimeUnit.SECONDS.toNanos(Integer.parseInt(arguments[4]));
    List<Calls> all = new ArrayList<>();
    long beganNs = System.nanoTime();
    try (ExecutorService callers = Executors.newFixedThreadPool(connections)) {
      List<Future<Calls>> running = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        int number = i;
        running.add(
            callers.submit(() -> call(port, prefix, number, pauseNs, beganNs + durationNs)));
      }
      for (Future<Calls> each : running) {
        all.add(each.get());
      }
    }
    double seconds = (System.nanoTime() - beganNs) / 1e9;
    long[] latencies =
        all.stream().flatMapToLong(calls -> LongStream.of(calls.latenciesNs)).sorted().toArray();
    System.out.println(
        RunReport.line(
            latencies.length,
            seconds,
            percentileUs(latencies, 50),
            percentileUs(latencies, 99),
            all.stream().mapToLong(Calls::errors).sum()));
  }

  private static Calls call(int port, String prefix, int number, long pauseNs, long untilNs) {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().directExecutor().build();
    try {
      long[] latenciesNs = new long[1024];
      int answered = 0;
      long errors = 0;
      for (int i = 1; System.nanoTime() < untilNs && answered < CALLS_MAX; i++) {
        Metadata headers = new Metadata();
        String id =
            HexFormat.of().toHexDigits((short) number) + HexFormat.of().toHexDigits((long) i, 12);
        headers.put(TRACEPARENT, "00-" + prefix + id + "-" + id + "-01");
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(5, TimeUnit.SECONDS);
        long startNs = System.nanoTime();
        try {
          ClientCalls.blockingUnaryCall(
              ClientInterceptors.intercept(
                  channel, MetadataUtils.newAttachHeadersInterceptor(headers)),
              GrpcEcho.METHOD,
              options,
              REQUEST);
          if (answered == latenciesNs.length) {
            latenciesNs = Arrays.copyOf(latenciesNs, answered * 2);
          }
          latenciesNs[answered++] = System.nanoTime() - startNs;
        } catch (StatusRuntimeException e) {
          System.err.println(e.getStatus());
          errors++;
        }
        if (pauseNs > 0) {
          LockSupport.parkNanos(startNs + pauseNs - System.nanoTime());
        }
      }
      return new Calls(Arrays.copyOf(latenciesNs, answered), errors);
    } finally {
      channel.shutdownNow();
    }
  }

  private static double percentileUs(long[] sortedNs, int percent) {
    if (sortedNs.length == 0) {
      throw new IllegalStateException("no call was answered");
    }
    return sortedNs[(int) ((long) (sortedNs.length - 1) * percent / 100)] / 1e3;
  }
}
