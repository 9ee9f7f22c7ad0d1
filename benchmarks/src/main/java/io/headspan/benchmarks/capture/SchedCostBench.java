package io.headspan.benchmarks.capture;

import io.headspan.agent.libbpf.BpfObject;
import io.headspan.agent.libbpf.BpfProgram;
import io.headspan.agent.libbpf.BpfStatistics;
import io.headspan.agent.libbpf.BpfStatistics.Runs;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.sched.SchedProbe;
import io.headspan.agent.probe.sched.TenantNumber;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.function.Supplier;

/// What the scheduler probe costs in the kernel per switch and per wake-up, as the kernel's own run
/// time statistics say, less what empty programs at the same hooks cost under the same load: two
/// threads that hand a token to each other. Once they are watched, once they are not.
///
/// The kernel counts the switches of the whole machine, so whatever else runs is in the figures,
/// unwatched: run it on a quiet one.
public final class SchedCostBench {
  private static final int RUNS = 7;
  private static final int ROUND_TRIPS = 50_000;

  private SchedCostBench() {}

  /// Nanoseconds, one per run.
  ///
  /// @param watchedSwitchNs per switch, the two threads being watched
  /// @param watchedWakeupNs per wake-up, the two threads being watched
  /// @param switchNs per switch, no thread being watched
  /// @param wakeupNs per wake-up, no thread being watched
  record NetCosts(
      double[] watchedSwitchNs, double[] watchedWakeupNs, double[] switchNs, double[] wakeupNs) {}

  /// Cost of one run of each program, statistics included.
  private record PerRun(double switchNs, double wakeupNs) {
    static PerRun of(Runs switches, Runs wakeups) {
      return new PerRun(
          (double) switches.runTimeNs() / switches.runCount(),
          (double) wakeups.runTimeNs() / wakeups.runCount());
    }
  }

  /// Measures and prints, for this bench alone.
  public static void main(String[] arguments) throws Exception {
    NetCosts costs = measure();
    System.out.println("switch_ns " + Arrays.toString(costs.watchedSwitchNs()));
    System.out.println("wakeup_ns " + Arrays.toString(costs.watchedWakeupNs()));
    System.out.println("switch_unwatched_ns " + Arrays.toString(costs.switchNs()));
    System.out.println("wakeup_unwatched_ns " + Arrays.toString(costs.wakeupNs()));
  }

  /// Needs root and a cgroup v2 hierarchy; takes some ten seconds.
  static NetCosts measure() throws IOException, InterruptedException, ExecutionException {
    Path root =
        BpfSupport.cgroup2Mount()
            .orElseThrow(() -> new IllegalStateException("no cgroup v2 hierarchy is mounted"));
    Path home = ProbeCostBench.ownCgroup(root);
    Path cgroup = root.resolve("headspan-bench-" + ProcessHandle.current().pid());
    Files.createDirectory(cgroup);
    try {
      ProbeCostBench.enter(cgroup);
      return run(cgroup);
    } finally {
      ProbeCostBench.enter(home);
      Files.delete(cgroup);
    }
  }

  private static NetCosts run(Path cgroup)
      throws IOException, InterruptedException, ExecutionException {
    NetCosts costs =
        new NetCosts(new double[RUNS], new double[RUNS], new double[RUNS], new double[RUNS]);
    try (BpfStatistics _ = BpfStatistics.enable()) {
      // The first run warms this process up.
      for (int i = -1; i < RUNS; i++) {
        PerRun empty = emptyPrograms();
        PerRun unwatched = probe(cgroup, false);
        PerRun watched = probe(cgroup, true);
        if (i >= 0) {
          costs.switchNs()[i] = unwatched.switchNs() - empty.switchNs();
          costs.wakeupNs()[i] = unwatched.wakeupNs() - empty.wakeupNs();
          costs.watchedSwitchNs()[i] = watched.switchNs() - empty.switchNs();
          costs.watchedWakeupNs()[i] = watched.wakeupNs() - empty.wakeupNs();
        }
      }
    }
    return costs;
  }

  private static PerRun emptyPrograms()
      throws IOException, InterruptedException, ExecutionException {
    try (BpfObject object = BpfObject.open("nothing", ProbeCostBench.read("nothing"))) {
      object.load();
      BpfProgram onSwitch = object.program("on_switch");
      BpfProgram onWakeup = object.program("on_wakeup");
      onSwitch.attach();
      onWakeup.attach();
      return load(() -> BpfStatistics.of(onSwitch), () -> BpfStatistics.of(onWakeup));
    }
  }

  private static PerRun probe(Path cgroup, boolean watched)
      throws IOException, InterruptedException, ExecutionException {
    try (HttpProbe http = HttpProbe.open(cgroup);
        SchedProbe probe = SchedProbe.open(http.connections(), http.transcripts())) {
      if (watched) {
        long cgroupId = (Long) Files.getAttribute(cgroup, "unix:ino");
        probe.setTenant(cgroupId, TenantNumber.FIRST, true);
        probe.adoptThreads();
      }
      return load(probe::switchRuns, probe::wakeupRuns);
    }
  }

  private static PerRun load(Supplier<Runs> switches, Supplier<Runs> wakeups)
      throws InterruptedException, ExecutionException {
    Runs switchesBefore = switches.get();
    Runs wakeupsBefore = wakeups.get();
    SynchronousQueue<Integer> there = new SynchronousQueue<>();
    SynchronousQueue<Integer> back = new SynchronousQueue<>();
    try (ExecutorService executor = Executors.newThreadPerTaskExecutor(Thread::new)) {
      Future<?> returning =
          executor.submit(() -> {
            for (int i = 0; i < ROUND_TRIPS; i++) {
              back.put(there.take());
            }
            return null;
          });
      for (int i = 0; i < ROUND_TRIPS; i++) {
        there.put(i);
        back.take();
      }
      returning.get();
    }
    return PerRun.of(switches.get().since(switchesBefore), wakeups.get().since(wakeupsBefore));
  }
}
