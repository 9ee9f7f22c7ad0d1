package io.headspan.agent.probe.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.lifecycle.LifecycleEvent.CgroupCreated;
import io.headspan.agent.probe.lifecycle.LifecycleEvent.CgroupRemoved;
import io.headspan.agent.probe.lifecycle.LifecycleEvent.Exec;
import io.headspan.agent.probe.lifecycle.LifecycleEvent.Exit;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("privileged")
@Tag("kernels")
class LifecycleProbeBpfIT {
  private static final Path ROOT = BpfSupport.cgroup2Mount().orElseThrow();
  private static final Path V1 = Path.of("/sys/fs/cgroup/pids");
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  private final String name = "headspan-lifecycle-" + ProcessHandle.current().pid();
  private final Path cgroup = ROOT.resolve(name);
  private final List<LifecycleEvent> events = new ArrayList<>();
  private LifecycleProbe probe;

  @BeforeEach
  void open() {
    probe = LifecycleProbe.open();
  }

  @AfterEach
  void close() {
    probe.close();
  }

  private void await(BooleanSupplier condition) {
    long endNs = System.nanoTime() + DEADLINE.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - endNs).as("%s", events).isNegative();
      probe.awaitPressure(2);
      probe.drain(events::add);
    }
  }

  private <T extends LifecycleEvent> Stream<T> all(Class<T> type) {
    return events.stream().filter(type::isInstance).map(type::cast);
  }

  private Process start(String... command) {
    try {
      return new ProcessBuilder(command).start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Exit awaitExit(long pid) {
    await(() -> all(Exit.class).anyMatch(exit -> exit.pid() == pid));
    assertThat(all(Exit.class).filter(exit -> exit.pid() == pid)).hasSize(1);
    return all(Exit.class).filter(exit -> exit.pid() == pid).findFirst().orElseThrow();
  }

  @Test
  void tellsStartAndEndOfAProcess() throws InterruptedException {
    long beforeNs = System.nanoTime();
    Process process = start("/bin/sh", "-c", "exit 3");
    assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    Exit exit = awaitExit(process.pid());
    assertThat(exit.exitCode()).isEqualTo(3 << 8);
    // The JVM starts its children through a helper of its own, which becomes the shell.
    Exec exec =
        all(Exec.class)
            .filter(event -> event.pid() == process.pid() && event.filename().equals("/bin/sh"))
            .findFirst()
            .orElseThrow();
    assertThat(exec.timeNs()).isBetween(beforeNs, exit.timeNs());
    assertThat(exit.timeNs()).isLessThanOrEqualTo(System.nanoTime());
    assertThat(exec.cgroupId()).isEqualTo(exit.cgroupId());
    assertThat(probe.droppedEvents()).isZero();
    assertThat(probe.failedEvents()).isZero();
  }

  @Test
  void tellsTheSignalThatKilledAProcess() throws InterruptedException {
    Process process = start("sleep", "100");
    process.destroyForcibly();
    assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(awaitExit(process.pid()).exitCode()).isEqualTo(9);
  }

  @Test
  void tellsNothingWhenAThreadEnds() throws InterruptedException {
    Thread thread = Thread.ofPlatform().start(() -> {});
    thread.join();
    Process marker = start("true");
    assertThat(marker.waitFor(10, TimeUnit.SECONDS)).isTrue();
    awaitExit(marker.pid());
    assertThat(all(Exit.class).filter(exit -> exit.pid() == ProcessHandle.current().pid()))
        .isEmpty();
  }

  @Test
  void tellsCgroupsAndWhoIsInThem() throws IOException, InterruptedException {
    Files.createDirectory(cgroup);
    long id = (Long) Files.getAttribute(cgroup, "unix:ino");
    Path nested = Files.createDirectory(cgroup.resolve("nested"));
    Process process = start("/bin/sh", "-c", "echo $$ > " + nested + "/cgroup.procs; exec sleep 0");
    long nestedId = (Long) Files.getAttribute(nested, "unix:ino");
    assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    assertThat(awaitExit(process.pid()).cgroupId()).isEqualTo(nestedId);
    assertThat(all(Exec.class))
        .anyMatch(exec ->
            exec.pid() == process.pid()
                && exec.cgroupId() == nestedId
                && exec.filename().endsWith("/sleep"));
    Files.delete(nested);
    Files.delete(cgroup);
    await(() -> all(CgroupRemoved.class).anyMatch(removed -> removed.cgroupId() == id));
    assertThat(
            all(CgroupCreated.class)
                .filter(created -> created.path().startsWith("/" + name))
                .map(created -> created.cgroupId() + " " + created.path()))
        .containsExactly(id + " /" + name, nestedId + " /" + name + "/nested");
    assertThat(
            all(CgroupRemoved.class)
                .filter(removed -> removed.path().startsWith("/" + name))
                .map(removed -> removed.cgroupId() + " " + removed.path()))
        .containsExactly(nestedId + " /" + name + "/nested", id + " /" + name);
  }

  @Test
  void leavesCgroupsOfOtherHierarchiesOut() throws IOException {
    if (Files.isDirectory(V1)) {
      Files.delete(Files.createDirectory(V1.resolve(name)));
    }
    Files.delete(Files.createDirectory(cgroup));
    await(() -> all(CgroupRemoved.class).anyMatch(removed -> removed.path().equals("/" + name)));
    assertThat(all(CgroupRemoved.class).filter(removed -> removed.path().equals("/" + name)))
        .hasSize(1);
    assertThat(all(CgroupCreated.class).filter(created -> created.path().equals("/" + name)))
        .hasSize(1);
  }
}
