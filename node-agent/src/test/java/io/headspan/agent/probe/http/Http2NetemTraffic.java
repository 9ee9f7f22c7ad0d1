package io.headspan.agent.probe.http;

import io.grpc.ManagedChannel;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/// The traffic of Http2ProbeNetemBpfIT, in processes of its own: gRPC calls, several at a time on
/// each connection.
final class Http2NetemTraffic {
  /// Few, for it is where connections begin that most packets of both sides meet.
  private static final int CALLS_PER_CHANNEL = 12;

  private static final int CALLS_AT_A_TIME = 6;

  private Http2NetemTraffic() {}

  /// `server ADDRESS`: prints its port and serves until its input ends. `client ADDRESS PORT CALLS
  /// CHANNELS`: makes the calls and prints how many were answered as expected.
  public static void main(String[] arguments) throws Exception {
    // The libraries log to where the answer goes.
    PrintStream out = System.out;
    System.setOut(System.err);
    InetAddress address = InetAddress.getByName(arguments[1]);
    if (arguments[0].equals("server")) {
      try (var echo = new GrpcEcho(address, byte[]::new)) {
        out.println(echo.port());
        System.in.transferTo(OutputStream.nullOutputStream());
      }
      return;
    }
    var server = new InetSocketAddress(address, Integer.parseInt(arguments[2]));
    int calls = Integer.parseInt(arguments[3]);
    int channels = Integer.parseInt(arguments[4]);
    var next = new AtomicInteger();
    int answered = 0;
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Integer>> results = new ArrayList<>();
      for (int i = 0; i < channels; i++) {
        results.add(executor.submit(() -> callOverChannels(server, next, calls)));
      }
      for (Future<Integer> result : results) {
        answered += result.get();
      }
    }
    out.println(answered);
  }

  static String traceparent(int number) {
    return "00-%032x-%016x-01".formatted(number + 1, number + 1);
  }

  private static int callOverChannels(InetSocketAddress server, AtomicInteger next, int calls)
      throws Exception {
    int answered = 0;
    while (next.get() < calls) {
      ManagedChannel channel = GrpcEcho.channel(server);
      var left = new AtomicInteger(CALLS_PER_CHANNEL);
      try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
        List<Future<Integer>> results = new ArrayList<>();
        for (int i = 0; i < CALLS_AT_A_TIME; i++) {
          results.add(executor.submit(() -> call(channel, next, left, calls)));
        }
        for (Future<Integer> result : results) {
          answered += result.get();
        }
      } finally {
        channel.shutdownNow();
      }
    }
    return answered;
  }

  private static int call(
      ManagedChannel channel, AtomicInteger next, AtomicInteger left, int calls) {
    int answered = 0;
    while (left.getAndDecrement() > 0) {
      int number = next.getAndIncrement();
      if (number >= calls) {
        break;
      }
      byte[] request = new byte[number % 10 == 0 ? 40_000 : number % 900];
      byte[] answer =
          GrpcEcho.call(channel, GrpcEcho.UNARY, request, "traceparent", traceparent(number));
      if (Arrays.equals(answer, request)) {
        answered++;
      }
    }
    return answered;
  }
}
