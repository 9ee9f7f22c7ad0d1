package io.headspan.agent.probe.sched;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// A container that has used up its quota beside one that has none and would take all there is, on
/// the same CPU: what the quota costs is nobody else's doing.
@Tag("privileged")
@Tag("kernels")
class SelfThrottleBpfIT {
  private static final String CPU = "1";
  private static final Path CPU_VERSION_1 = Path.of("/sys/fs/cgroup/cpu");
  private static final long OWN_PID = ProcessHandle.current().pid();
  private static final Duration TIMEOUT = Duration.ofSeconds(60);
  private static final int THRIFTY = TenantNumber.FIRST;
  private static final int NOISY = TenantNumber.FIRST + 1;

  /// How often the container is throttled while it is measured; once in 100 ms.
  private static final int THROTTLINGS = 40;

  /// A wait is told when it is over; one is under way at the beginning and at the end. An emulated
  /// machine takes its time to read what belongs together.
  private static final long UNDER_WAY_NS = TimeUnit.MILLISECONDS.toNanos(400);

  private final List<AutoCloseable> open = new ArrayList<>();
  private SchedProbe probe;
  private long toldThrottledNs;

  @BeforeEach
  void start() {
    HttpProbe http = HttpProbe.open(BpfSupport.cgroup2Mount().orElseThrow());
    open.add(http);
    probe = SchedProbe.open(http.connections(), http.transcripts());
    open.add(probe);
  }

  @AfterEach
  void closeAll() throws Exception {
    while (!open.isEmpty()) {
      open.removeLast().close();
    }
  }

  /// What was told of the thread and what the kernel says otherwise, at one moment.
  private record Reading(
      long timeNs, long cpuNs, long throttledNs, long toldThrottledNs, Map<Integer, Long> waitsNs) {
    long waitedNs() {
      return waitsNs.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  @Test
  void chargesNobodyWithWhatTheQuotaCosts() throws IOException {
    RuncContainer thrifty = start(spinner("thrifty").withCpuQuota(Duration.ofMillis(20)));
    RuncContainer noisy = start(spinner("noisy"));
    assertThat(probe.setTenant(cgroupId(thrifty), THRIFTY, true)).isTrue();
    assertThat(probe.setTenant(cgroupId(noisy), NOISY, true)).isTrue();
    probe.adoptThreads();
    boolean isVersion1 = Files.isDirectory(CPU_VERSION_1);
    Path cgroup = isVersion1 ? directory(CPU_VERSION_1, thrifty.id()) : cgroup2(thrifty);
    Path statistics = cgroup.resolve("cpu.stat");
    String pid = Files.readString(cgroup.resolve("cgroup.procs")).strip();
    Path schedule = Path.of("/proc", pid, "schedstat");
    // The first wait was not seen from its beginning.
    awaitThrottlings(statistics, 2);
    Reading before = read(schedule, statistics);
    awaitThrottlings(statistics, THROTTLINGS);
    Reading after = read(schedule, statistics);

    // It was always runnable: what it neither ran nor was throttled, it waited for its CPU, or for
    // the interrupts there, which are nobody's.
    long throttledNs = after.throttledNs - before.throttledNs;
    long waitedNs = after.timeNs - before.timeNs - (after.cpuNs - before.cpuNs) - throttledNs;
    String what = before + " to " + after;
    assertThat(throttledNs).as(what).isPositive();
    assertThat(after.waitedNs() - before.waitedNs())
        .as(what)
        .isBetween(waitedNs / 3, waitedNs * 11 / 10 + UNDER_WAY_NS);
    assertThat(after.toldThrottledNs - before.toldThrottledNs)
        .as(what)
        .isBetween(throttledNs * 9 / 10 - UNDER_WAY_NS, throttledNs * 11 / 10 + UNDER_WAY_NS);
    assertThat(after.waitsNs).as(what).containsKey(NOISY);
  }

  private void awaitThrottlings(Path statistics, int more) throws IOException {
    long deadlineNs = System.nanoTime() + TIMEOUT.toNanos();
    long until = number(statistics, "nr_throttled") + more;
    while (number(statistics, "nr_throttled") < until) {
      assertThat(System.nanoTime()).isLessThan(deadlineNs);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
      drain();
    }
  }

  private void drain() {
    probe.drain(record -> {
      if (record.tenant() == THRIFTY) {
        toldThrottledNs += record.throttledNs();
      }
    });
  }

  private Reading read(Path schedule, Path statistics) throws IOException {
    drain();
    Map<Integer, Long> waitsNs = new TreeMap<>();
    probe.readMatrix((victim, culprit, waitNs, _) -> {
      if (victim == THRIFTY) {
        waitsNs.put(culprit, waitNs);
      }
    });
    long cpuNs = Long.parseLong(Files.readString(schedule).split(" ", -1)[0]);
    // Version 1 of the controller counts in ns, version 2 in µs.
    long throttledNs =
        Files.isDirectory(CPU_VERSION_1)
            ? number(statistics, "throttled_time")
            : TimeUnit.MICROSECONDS.toNanos(number(statistics, "throttled_usec"));
    return new Reading(System.nanoTime(), cpuNs, throttledNs, toldThrottledNs, waitsNs);
  }

  private static long number(Path file, String key) throws IOException {
    return Files.readAllLines(file).stream()
        .filter(line -> line.startsWith(key + " "))
        .mapToLong(line -> Long.parseLong(line.substring(key.length() + 1)))
        .findFirst()
        .orElseThrow();
  }

  private static ContainerSpec spinner(String name) {
    return ContainerSpec.of(
            "hs-throttle-" + name + "-" + OWN_PID,
            List.of("/bin/sh", "-c", "echo ready; while :; do :; done"))
        .onCpus(CPU);
  }

  private RuncContainer start(ContainerSpec spec) {
    RuncContainer container = RuncContainer.start(spec, "ready"::equals, TIMEOUT);
    open.add(container);
    return container;
  }

  private static long cgroupId(RuncContainer container) throws IOException {
    return (Long) Files.getAttribute(cgroup2(container), "unix:ino");
  }

  private static Path cgroup2(RuncContainer container) throws IOException {
    return directory(BpfSupport.cgroup2Mount().orElseThrow(), container.id());
  }

  private static Path directory(Path root, String name) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths
          .filter(path -> path.getFileName().toString().equals(name))
          .findFirst()
          .orElseThrow(() -> new IOException("no cgroup " + name + " below " + root));
    }
  }
}
