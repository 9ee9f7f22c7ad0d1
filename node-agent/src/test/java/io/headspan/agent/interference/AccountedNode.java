package io.headspan.agent.interference;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.identity.Identity;
import io.headspan.agent.identity.InstanceRuntime;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.loadgen.runc.RuncContainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// The probes and the time accounts on the real kernel, worked by a thread as the agent does.
final class AccountedNode implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  final TimeAccounts accounts;

  private final HttpProbe http;
  private final BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
  private final BlockingQueue<Accounted> captured = new LinkedBlockingQueue<>();
  private final List<Accounted> all = new ArrayList<>();
  private final BlockingQueue<RuntimeException> failures = new LinkedBlockingQueue<>();
  private final Thread worker;
  private volatile boolean stopping;

  /// An invocation with its account.
  record Accounted(HttpExchange exchange, InvocationAccount account) {}

  AccountedNode() {
    http = HttpProbe.open(BpfSupport.cgroup2Mount().orElseThrow());
    accounts = TimeAccounts.start(http);
    assertThat(accounts.offReason()).isEmpty();
    worker = Thread.ofPlatform().name("accounted-node").start(this::work);
  }

  private void work() {
    while (!stopping) {
      for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
        task.run();
      }
      http.drain(exchange -> {
        if (exchange.role() == Role.SERVER) {
          accounts.attach(
              exchange,
              account -> account.ifPresent(known -> captured.add(new Accounted(exchange, known))));
        }
      });
      accounts.poll(System.nanoTime());
      accounts.takeFailure().ifPresent(failures::add);
      http.awaitPressure(5);
    }
  }

  /// Names the tenant of a container, as its identity would, and waits until its threads have
  /// accounts.
  void watch(RuncContainer container, String tenant) throws Exception {
    watch((Long) Files.getAttribute(cgroup2(container.id()), "unix:ino"), tenant);
  }

  /// The same for a cgroup that is taken for one of a container.
  void watch(long cgroupId, String tenant) throws Exception {
    Identity identity =
        new Identity(
            InstanceRuntime.CONTAINER,
            "f",
            tenant,
            null,
            "f",
            null,
            "instance",
            "instance",
            null,
            null,
            0);
    onWorker(() -> accounts.onCgroup(cgroupId, identity));
    // The next beat but one comes after the threads were adopted.
    long beats = 25;
    onWorker(() -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(beats)));
    onWorker(() -> {});
    onWorker(() -> {});
  }

  /// Runs `task` between two beats.
  void onWorker(Runnable task) throws Exception {
    var done = new CompletableFuture<Void>();
    tasks.add(() -> {
      try {
        task.run();
        done.complete(null);
      } catch (RuntimeException | Error e) {
        done.completeExceptionally(e);
      }
    });
    done.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  /// The next invocation that fits.
  Accounted next(Predicate<HttpExchange> wanted) throws InterruptedException {
    long deadlineNs = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      Accounted next = captured.poll(deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
      assertThat(next).as("an invocation with an account").isNotNull();
      Accounted known = Objects.requireNonNull(next);
      all.add(known);
      if (wanted.test(known.exchange())) {
        return known;
      }
    }
  }

  /// All invocations so far.
  List<Accounted> all() {
    captured.drainTo(all);
    return all;
  }

  static Path cgroup2(String containerId) throws IOException {
    return directory(BpfSupport.cgroup2Mount().orElseThrow(), containerId);
  }

  /// The container's directory below the mount of a v1 controller.
  static Path controller(String name, String containerId) throws IOException {
    return directory(Path.of("/sys/fs/cgroup", name), containerId);
  }

  private static Path directory(Path root, String name) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths
          .filter(path -> path.getFileName().toString().equals(name))
          .findFirst()
          .orElseThrow(() -> new IOException("no cgroup " + name + " below " + root));
    }
  }

  @Override
  public void close() {
    stopping = true;
    try {
      assertThat(worker.join(PATIENCE)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    assertThat(failures).isEmpty();
    accounts.close();
    http.close();
  }
}
