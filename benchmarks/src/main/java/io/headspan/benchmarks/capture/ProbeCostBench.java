package io.headspan.benchmarks.capture;

import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.BpfProgram;
import io.headspan.agent.libbpf.BpfStatistics;
import io.headspan.agent.libbpf.BpfStatistics.Runs;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.http.HttpProbe;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// What the HTTP probe's filters cost in the kernel, as the kernel's own run time statistics say,
/// less what empty programs at the same hooks cost under the same traffic. Both are measured in
/// turn, because the statistics themselves take about as long as a program.
///
/// The server's sockets are in a cgroup of their own, where the programs are attached; the client's
/// are not. So every run that is counted belongs to the server's end of the traffic.
public final class ProbeCostBench {
  private static final int RUNS = 7;
  private static final int EXCHANGES = 4_000;

  /// Exchanges between two times that the ring is emptied. The agent does so before a quarter is
  /// full, because from there on each record wakes it up.
  private static final int BEAT = 100;

  private static final int BODY_BYTES = 256 << 20;
  private static final String REQUEST =
      """
      GET /function HTTP/1.1
      Host: localhost
      User-Agent: bench/1.0
      Accept: */*
      traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01

      """
          .replace("\n", "\r\n");
  private static final String RESPONSE =
      """
      HTTP/1.1 200 OK
      Server: bench
      Content-Type: text/plain
      Content-Length: 2
      Connection: keep-alive

      ok\
      """
          .replace("\n", "\r\n");
  private static final byte[] BODY_HEAD =
      ("HTTP/1.1 200 OK\r\nContent-Length: " + BODY_BYTES + "\r\n\r\n")
          .getBytes(StandardCharsets.US_ASCII);
  private static final int BUFFER_BYTES = 1 << 16;

  private final Path cgroup;

  private ProbeCostBench(Path cgroup) {
    this.cgroup = cgroup;
  }

  /// Nanoseconds, one per run.
  ///
  /// @param bodyPacketNs per packet of a known body
  /// @param headNs per invocation, for head and tail together
  /// @param emptyNs per run of an empty program, with what the statistics themselves take: how fast
  ///   the machine was
  record NetCosts(double[] bodyPacketNs, double[] headNs, double[] emptyNs) {}

  /// Measures and prints, for this bench alone.
  public static void main(String[] arguments) throws Exception {
    NetCosts costs = measure();
    System.out.println("body_packet_ns " + Arrays.toString(costs.bodyPacketNs()));
    System.out.println("head_ns " + Arrays.toString(costs.headNs()));
    System.out.println("empty_program_ns " + Arrays.toString(costs.emptyNs()));
  }

  /// Drives the traffic. Needs root and a cgroup v2 hierarchy; takes some ten seconds.
  ///
  /// @return what is left of the probe's cost without that of the empty programs
  static NetCosts measure() throws IOException, InterruptedException, ExecutionException {
    Path root =
        BpfSupport.cgroup2Mount()
            .orElseThrow(() -> new IllegalStateException("no cgroup v2 hierarchy is mounted"));
    Path home = ownCgroup(root);
    Path cgroup = root.resolve("headspan-bench-" + ProcessHandle.current().pid());
    Files.createDirectory(cgroup);
    try {
      return new ProbeCostBench(cgroup).run(home);
    } finally {
      enter(home);
      Files.delete(cgroup);
    }
  }

  private NetCosts run(Path home) throws IOException, InterruptedException, ExecutionException {
    // A socket belongs to the cgroup in which it was made; an accepted one to its listener's.
    enter(cgroup);
    ServerSocket listener = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    enter(home);
    double[] heads = new double[RUNS];
    double[] bodies = new double[RUNS];
    double[] empties = new double[RUNS];
    try (listener;
        ExecutorService executor = Executors.newThreadPerTaskExecutor(Thread::new);
        BpfStatistics _ = BpfStatistics.enable()) {
      // The first run warms this process up.
      for (int i = -1; i < RUNS; i++) {
        Costs empty = emptyPrograms(listener, executor);
        Costs probe = probe(listener, executor);
        if (i >= 0) {
          heads[i] = headNs(probe, empty);
          empties[i] = (perRun(empty.headIngress()) + perRun(empty.headEgress())) / 2;
          bodies[i] = perRun(probe.bodyEgress()) - perRun(empty.bodyEgress());
        }
      }
    }
    return new NetCosts(bodies, heads, empties);
  }

  /// @param headIngress runs during the small exchanges
  /// @param headEgress likewise
  /// @param bodyEgress runs during a long response
  private record Costs(Runs headIngress, Runs headEgress, Runs bodyEgress) {}

  /// All runs of both hooks belong to some exchange, that of an acknowledgement too.
  private static double headNs(Costs probe, Costs empty) {
    double ingressNs =
        probe.headIngress().runTimeNs()
            - perRun(empty.headIngress()) * probe.headIngress().runCount();
    double egressNs =
        probe.headEgress().runTimeNs() - perRun(empty.headEgress()) * probe.headEgress().runCount();
    return (ingressNs + egressNs) / EXCHANGES;
  }

  private static double perRun(Runs runs) {
    return (double) runs.runTimeNs() / runs.runCount();
  }

  private Costs emptyPrograms(ServerSocket listener, ExecutorService executor)
      throws IOException, InterruptedException, ExecutionException {
    try (BpfObject object = BpfObject.open("nothing", read("nothing"))) {
      object.load();
      BpfProgram ingress = object.program("on_ingress");
      BpfProgram egress = object.program("on_egress");
      ingress.attachCgroup(cgroup);
      egress.attachCgroup(cgroup);
      return costs(
          listener,
          executor,
          () -> BpfStatistics.of(ingress),
          () -> BpfStatistics.of(egress),
          () -> {});
    }
  }

  private Costs probe(ServerSocket listener, ExecutorService executor)
      throws IOException, InterruptedException, ExecutionException {
    try (HttpProbe probe = HttpProbe.open(cgroup)) {
      long[] captured = {0};
      Costs costs =
          costs(
              listener,
              executor,
              probe::ingressRuns,
              probe::egressRuns,
              () -> captured[0] += probe.drain(_ -> {}));
      if (captured[0] < EXCHANGES) {
        throw new IllegalStateException(
            "the probe missed exchanges: sent=" + EXCHANGES + ", captured=" + captured[0]);
      }
      return costs;
    }
  }

  /// Where the statistics of a program come from.
  @FunctionalInterface
  private interface RunsReader {
    Runs read();
  }

  private static Costs costs(
      ServerSocket listener,
      ExecutorService executor,
      RunsReader ingress,
      RunsReader egress,
      Runnable drain)
      throws IOException, InterruptedException, ExecutionException {
    try (Socket client = new Socket()) {
      client.setTcpNoDelay(true);
      client.connect(listener.getLocalSocketAddress());
      Socket server = listener.accept();
      Future<?> serving = executor.submit(() -> serve(server));
      InputStream in = client.getInputStream();
      OutputStream out = client.getOutputStream();
      byte[] request = REQUEST.getBytes(StandardCharsets.US_ASCII);
      Runs ingressBefore = ingress.read();
      Runs egressBefore = egress.read();
      for (int i = 0; i < EXCHANGES; i++) {
        out.write(request);
        in.readNBytes(RESPONSE.length());
        if (i % BEAT == 0) {
          drain.run();
        }
      }
      Runs headIngress = ingress.read().since(ingressBefore);
      Runs headEgress = egress.read().since(egressBefore);
      egressBefore = egress.read();
      // Shorter than the others and the last one: the server answers it with the long response.
      out.write("GET /body HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      client.shutdownOutput();
      in.skipNBytes(BODY_HEAD.length + (long) BODY_BYTES);
      Runs bodyEgress = egress.read().since(egressBefore);
      serving.get();
      drain.run();
      return new Costs(headIngress, headEgress, bodyEgress);
    }
  }

  /// Answers the small requests, and the first one that is different with a long response.
  private static Void serve(Socket socket) throws IOException {
    try (socket) {
      socket.setTcpNoDelay(true);
      InputStream in = socket.getInputStream();
      OutputStream out = socket.getOutputStream();
      byte[] response = RESPONSE.getBytes(StandardCharsets.US_ASCII);
      while (in.readNBytes(REQUEST.length()).length == REQUEST.length()) {
        out.write(response);
      }
      out.write(BODY_HEAD);
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int sent = 0; sent < BODY_BYTES; sent += buffer.length) {
        out.write(buffer);
      }
      return null;
    }
  }

  static byte[] read(String name) throws IOException {
    String resource = "/io/headspan/probes/" + name + ".bpf.o";
    try (InputStream stream = ProbeCostBench.class.getResourceAsStream(resource)) {
      if (stream == null) {
        throw new IllegalStateException("BPF object missing: resource=" + resource);
      }
      return stream.readAllBytes();
    }
  }

  static Path ownCgroup(Path root) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/cgroup")).stream()
        .filter(line -> line.startsWith("0::/"))
        .map(line -> root.resolve(line.substring("0::/".length())))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("this process is in no cgroup v2"));
  }

  static void enter(Path cgroup) throws IOException {
    Files.writeString(cgroup.resolve("cgroup.procs"), Long.toString(ProcessHandle.current().pid()));
  }
}
