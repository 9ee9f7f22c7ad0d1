package io.headspan.loadgen.runc;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.headspan.loadgen.TemporaryDirectory;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// A running runc container of its own cgroup, mount, pid, ipc and uts namespaces. Its root file
/// system is empty but for the host's system directories, mounted read-only, `/proc`, `/dev` and a
/// `/tmp`; so no image is needed. Needs root and `runc`.
///
/// Closing kills it and removes container, cgroup and bundle.
public final class RuncContainer implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> SYSTEM_DIRECTORIES =
      List.of("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives");
  private static final int LOG_LINES = 50;
  private static final long RUNC_TIMEOUT_SECONDS = 20;

  private final ContainerSpec spec;
  private final TemporaryDirectory bundle;
  private final Process process;
  private final Deque<String> log = new ArrayDeque<>();
  private final CompletableFuture<String> ready = new CompletableFuture<>();
  private final Thread reader;

  private RuncContainer(
      ContainerSpec spec, TemporaryDirectory bundle, Process process, Predicate<String> isReady) {
    this.spec = spec;
    this.bundle = bundle;
    this.process = process;
    this.reader =
        Thread.ofPlatform()
            .name("container-" + spec.id())
            .daemon()
            .start(() -> readOutput(isReady));
  }

  /// Starts a container and waits until it prints a line that `isReady` accepts.
  ///
  /// @throws RuncException with the container's last output, if runc fails, the container ends, or
  ///   `timeout` passes first
  public static RuncContainer start(
      ContainerSpec spec, Predicate<String> isReady, Duration timeout) {
    TemporaryDirectory bundle;
    Process process;
    try {
      bundle = TemporaryDirectory.create(spec.id());
      Files.createDirectory(bundle.path().resolve("rootfs"));
      JSON.writeValue(bundle.path().resolve("config.json").toFile(), config(spec));
      process =
          new ProcessBuilder("runc", "run", "--bundle", bundle.path().toString(), spec.id())
              .redirectErrorStream(true)
              .start();
    } catch (IOException e) {
      throw new RuncException("container not started: id=" + spec.id() + ", " + e.getMessage(), e);
    }
    RuncContainer container = new RuncContainer(spec, bundle, process, isReady);
    try {
      container.ready.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      return container;
    } catch (ExecutionException | TimeoutException e) {
      String output = container.output();
      container.close();
      String what =
          e instanceof TimeoutException
              ? "container not ready after " + timeout.toMillis() + " ms"
              : "container ended before it was ready";
      throw new RuncException("%s: id=%s, output:%n%s".formatted(what, spec.id(), output), e);
    } catch (InterruptedException e) {
      container.close();
      Thread.currentThread().interrupt();
      throw new RuncException("interrupted while starting a container: id=" + spec.id(), e);
    }
  }

  /// A container that runs [io.headspan.loadgen.service.HttpService] on the JDK that runs this
  /// program.
  ///
  /// @param arguments the service's arguments; `--name` is set to the id
  public static ContainerSpec httpService(String id, List<String> arguments) {
    Path java = Path.of(System.getProperty("java.home"));
    Path classes = ServiceClasses.location();
    List<String> command =
        Stream.concat(
                Stream.of(
                    java.resolve("bin/java").toString(),
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-Xshare:auto",
                    "-Xmx128m",
                    "-cp",
                    classes.toString(),
                    ServiceClasses.MAIN,
                    "--name",
                    id),
                arguments.stream())
            .toList();
    return ContainerSpec.of(id, command).withReadOnlyMount(java).withReadOnlyMount(classes);
  }

  /// A container that runs a program with all that is on this program's class path, on the same
  /// JDK.
  ///
  /// @param arguments the program's
  public static ContainerSpec javaProgram(String id, Class<?> main, List<String> arguments) {
    Path java = Path.of(System.getProperty("java.home"));
    List<Path> classes =
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .map(entry -> Path.of(entry).toAbsolutePath())
            .filter(Files::exists)
            .toList();
    List<String> command =
        new ArrayList<>(
            List.of(
                java.resolve("bin/java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                String.join(File.pathSeparator, classes.stream().map(Path::toString).toList()),
                main.getName()));
    command.addAll(arguments);
    ContainerSpec spec = ContainerSpec.of(id, command).withReadOnlyMount(java);
    for (Path each : classes) {
      spec = spec.withReadOnlyMount(each);
    }
    return spec;
  }

  /// Starts such a service and waits until it listens.
  public static RuncContainer startHttpService(ContainerSpec spec) {
    return start(spec, line -> line.startsWith("ready on "), Duration.ofSeconds(60));
  }

  /// Why containers cannot be run here, and the remedy; empty if they can.
  public static Optional<String> refusal() {
    try {
      // Asks for what a container needs (namespaces and a cgroup) and removes it at once.
      ContainerSpec probe =
          ContainerSpec.of(
              "headspan-probe-" + ProcessHandle.current().pid(),
              List.of("/bin/sh", "-c", "echo ok"));
      start(probe, "ok"::equals, Duration.ofSeconds(20)).close();
      return Optional.empty();
    } catch (RuncException e) {
      String reason = e.getMessage();
      return Optional.of(
          "runc cannot start one (run as root, with runc installed): "
              + (reason == null ? "" : reason.lines().reduce("", (_, last) -> last)));
    }
  }

  public String id() {
    return spec.id();
  }

  /// The line that said the container is ready.
  public String readyLine() {
    return ready.join();
  }

  /// The last lines that the container printed.
  public String output() {
    synchronized (log) {
      return String.join("\n", log);
    }
  }

  /// Sends a signal to the container's first process.
  public void signal(String name) {
    runc("kill", spec.id(), name);
  }

  @Override
  public void close() {
    try {
      // Kills what runs and removes the cgroup; says nothing when the container has ended by
      // itself.
      runc("delete", "--force", spec.id());
      if (!process.waitFor(RUNC_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new RuncException("runc did not end after the container was deleted: id=" + id());
      }
      reader.join(Duration.ofSeconds(RUNC_TIMEOUT_SECONDS));
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    } finally {
      removeBundle();
    }
  }

  private void removeBundle() {
    try {
      bundle.close();
    } catch (IOException e) {
      throw new RuncException("bundle not removed: directory=" + bundle.path(), e);
    }
  }

  private void readOutput(Predicate<String> isReady) {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        synchronized (log) {
          if (log.size() == LOG_LINES) {
            log.removeFirst();
          }
          log.addLast(line);
        }
        if (isReady.test(line)) {
          ready.complete(line);
        }
      }
    } catch (IOException e) {
      ready.completeExceptionally(e);
    }
    ready.completeExceptionally(new RuncException("the container ended: id=" + spec.id()));
  }

  private static void runc(String... arguments) {
    try {
      Process runc =
          new ProcessBuilder(Stream.concat(Stream.of("runc"), Stream.of(arguments)).toList())
              .redirectErrorStream(true)
              .start();
      String output;
      try (BufferedReader lines = runc.inputReader(StandardCharsets.UTF_8)) {
        output = String.join("\n", lines.readAllLines());
      }
      if (!runc.waitFor(RUNC_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        runc.destroyForcibly();
        throw new RuncException("runc timed out: " + String.join(" ", arguments));
      }
      if (runc.exitValue() != 0) {
        throw new RuncException("runc failed: " + String.join(" ", arguments) + ": " + output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("runc could not be run", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RuncException("interrupted: runc " + String.join(" ", arguments), e);
    }
  }

  private static ObjectNode config(ContainerSpec spec) {
    ObjectNode config = JSON.createObjectNode();
    config.put("ociVersion", "1.0.2");
    ObjectNode process = config.putObject("process");
    process.put("terminal", false);
    process.put("cwd", "/");
    process.putObject("user").put("uid", 0).put("gid", 0);
    ArrayNode command = process.putArray("args");
    spec.command().forEach(command::add);
    process.putArray("env").add("PATH=/usr/sbin:/usr/bin:/sbin:/bin").add("LANG=C.UTF-8");
    process.put("noNewPrivileges", true);
    config.putObject("root").put("path", "rootfs").put("readonly", false);
    config.put("hostname", spec.id());

    ArrayNode mounts = config.putArray("mounts");
    mount(mounts, "/proc", "proc", "proc", List.of("nosuid", "noexec", "nodev"));
    mount(mounts, "/dev", "tmpfs", "tmpfs", List.of("nosuid", "strictatime", "mode=755"));
    mount(mounts, "/tmp", "tmpfs", "tmpfs", List.of("nosuid", "nodev", "mode=1777"));
    Stream.concat(SYSTEM_DIRECTORIES.stream().map(Path::of), spec.readOnlyMounts().stream())
        .filter(Files::exists)
        .forEach(path ->
            mount(mounts, path.toString(), "bind", path.toString(), List.of("rbind", "ro")));

    ObjectNode annotations = config.putObject("annotations");
    for (Map.Entry<String, String> entry : spec.annotations().entrySet()) {
      annotations.put(entry.getKey(), entry.getValue());
    }
    ObjectNode linux = config.putObject("linux");
    ArrayNode namespaces = linux.putArray("namespaces");
    for (String type : List.of("pid", "ipc", "uts", "mount")) {
      namespaces.addObject().put("type", type);
    }
    spec.networkNamespace()
        .ifPresent(
            path -> namespaces.addObject().put("type", "network").put("path", path.toString()));
    ObjectNode resources = linux.putObject("resources");
    ObjectNode cpu = resources.putObject("cpu");
    spec.cpuset().ifPresent(cpus -> cpu.put("cpus", cpus));
    spec.cpuQuota()
        .ifPresent(quota ->
            cpu.put("quota", quota.toNanos() / 1_000)
                .put("period", ContainerSpec.QUOTA_PERIOD.toNanos() / 1_000));
    spec.memoryBytes()
        .ifPresent(bytes -> resources.putObject("memory").put("limit", bytes).put("swap", bytes));
    return config;
  }

  private static void mount(
      ArrayNode mounts, String destination, String type, String source, List<String> options) {
    ObjectNode mount = mounts.addObject();
    mount.put("destination", destination).put("type", type).put("source", source);
    ArrayNode list = mount.putArray("options");
    options.forEach(list::add);
  }
}
