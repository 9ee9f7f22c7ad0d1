package io.headspan.agent.doctor;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.doctor.Finding.Status;
import io.headspan.agent.identity.ExecutorRegistrations;
import io.headspan.agent.identity.PlatformSettings;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.libbpf.Capabilities;
import io.headspan.agent.libbpf.Capabilities.Capability;
import io.headspan.agent.libbpf.LibbpfException;
import io.headspan.agent.probe.ProbeObject;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.sched.SchedProbe;
import io.headspan.agent.probe.sched.ThrottleClock;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// Looks at everything that capturing depends on. It loads the probes' programs, which has the
/// kernel check them, and attaches none: nothing is captured and nothing changes.
public final class Doctor {
  /// Everything is on.
  public static final int ALL_ON = 0;

  /// The agent cannot capture.
  public static final int CANNOT_CAPTURE = 1;

  /// The agent captures, and goes without something.
  public static final int SOMETHING_OFF = 3;

  /// All is well but for leftovers.
  public static final int LEFTOVERS = 4;

  private static final String NOTHING_CAPTURED = "nothing is captured";
  private static final String SCOPES =
      "spans have time accounts, and headspan.scope says how exact they are";
  private static final Path BPF_FILES = Path.of("/sys/fs/bpf");
  private static final String PINS = "headspan*";

  private final AgentConfig config;
  private final Path bpfFiles;
  private final List<Finding> findings = new ArrayList<>();

  private Doctor(AgentConfig config, Path bpfFiles) {
    this.config = config;
    this.bpfFiles = bpfFiles;
  }

  /// A probe that the agent opens.
  ///
  /// @param check has the kernel check it as the agent does
  private record Probe(String id, Supplier<Taken> check, String gives, String cost) {
    boolean isOptional() {
      return !cost.equals(NOTHING_CAPTURED);
    }
  }

  /// A probe that the kernel takes.
  ///
  /// @param form a part of a sentence; empty if it is the best one
  /// @param parts what is to be said of its parts
  private record Taken(String form, List<Finding> parts) {
    static final Taken WHOLE = new Taken("", List.of());
  }

  private static final List<Probe> PROBES =
      List.of(
          new Probe(
              "probe.http",
              Doctor::http,
              "requests and responses of all sockets",
              NOTHING_CAPTURED),
          new Probe(
              "probe.lifecycle",
              () -> object("lifecycle"),
              "beginnings and ends of processes and cgroups",
              NOTHING_CAPTURED),
          new Probe(
              "probe.sched",
              Doctor::sched,
              "queue time, CPU, and what other tenants took",
              "spans have no time accounts, and there is no victim x culprit matrix"),
          new Probe(
              "probe.older",
              () -> object("older"),
              "how many connections are older than the agent",
              "what is not captured because its connection was there before is not counted"));

  /// Looks at this machine as an agent with this configuration would find it.
  public static List<Finding> examine(AgentConfig config) {
    return examine(config, BPF_FILES);
  }

  static List<Finding> examine(AgentConfig config, Path bpfFiles) {
    Doctor doctor = new Doctor(config, bpfFiles);
    boolean loads = doctor.requirements();
    doctor.capabilities();
    if (loads) {
      // At once: what takes the time is the kernel's checking.
      doctor.findings.addAll(
          PROBES.parallelStream().map(Doctor::probe).flatMap(List::stream).toList());
    }
    doctor.platforms();
    doctor.leftovers();
    return List.copyOf(doctor.findings);
  }

  /// The exit code for what was found.
  public static int exitCode(List<Finding> findings) {
    boolean missing = findings.stream().anyMatch(each -> each.status() == Status.MISSING);
    boolean off = findings.stream().anyMatch(each -> each.status() == Status.OFF);
    boolean left = findings.stream().anyMatch(each -> each.status() == Status.LEFTOVER);
    return missing ? CANNOT_CAPTURE : off ? SOMETHING_OFF : left ? LEFTOVERS : ALL_ON;
  }

  /// Removes what killed agents and executors left: registrations of executors that are gone, and
  /// pinned BPF objects of ours. Programs, maps and links need no cleaning: the kernel frees them
  /// with the process that opened them.
  ///
  /// @return what was removed
  /// @throws IOException if something cannot be removed
  public static List<String> clean(AgentConfig config) throws IOException {
    return clean(config, BPF_FILES);
  }

  static List<String> clean(AgentConfig config, Path bpfFiles) throws IOException {
    List<String> removed = new ArrayList<>();
    for (Path file : ExecutorRegistrations.leftBehind(config.runDirectory())) {
      Files.deleteIfExists(file);
      removed.add("registration of an executor that is gone: " + file);
    }
    for (Path pin : pins(bpfFiles)) {
      try (Stream<Path> below = Files.walk(pin)) {
        for (Path each : below.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(each);
        }
      }
      removed.add("pinned BPF object: " + pin);
    }
    return removed;
  }

  private boolean requirements() {
    List<BpfSupport.Missing> missing = BpfSupport.check();
    for (BpfSupport.Part part : BpfSupport.Part.values()) {
      String id = part.name().toLowerCase(Locale.ROOT);
      List<BpfSupport.Missing> lacks = missing.stream().filter(m -> m.part() == part).toList();
      if (lacks.isEmpty()) {
        findings.add(Finding.ok(id, there(part)));
      }
      lacks.forEach(lack -> findings.add(Finding.missing(id, lack.reason(), lack.remedy())));
    }
    return missing.isEmpty();
  }

  private static String there(BpfSupport.Part part) {
    return switch (part) {
      case LIBRARY -> "libbpf can be called";
      case PERMISSION -> "this process may use BPF";
      case BTF -> "the kernel describes its types (BTF)";
      case CGROUP2 ->
          "cgroup v2 is mounted: "
              + BpfSupport.cgroup2Mount().map(Path::toString).orElse("somewhere");
      case KERNEL ->
          "Linux "
              + System.getProperty("os.version")
              + " has ring buffers, socket storage, and filters at cgroups and sockets";
    };
  }

  private void capabilities() {
    Set<Capability> held = Capabilities.effective();
    if (!held.contains(Capability.SYS_PTRACE)) {
      findings.add(
          Finding.off(
              "capability.sys_ptrace",
              "this process has no CAP_SYS_PTRACE",
              "plain processes of other users stay unnamed, and rules cannot look at them",
              "give it CAP_SYS_PTRACE"));
    }
    if (!held.contains(Capability.DAC_READ_SEARCH)) {
      findings.add(
          Finding.off(
              "capability.dac_read_search",
              "this process has no CAP_DAC_READ_SEARCH",
              "states of containers and executors that belong to other users are not read",
              "give it CAP_DAC_READ_SEARCH"));
    }
    if (!held.contains(Capability.SYS_NICE)) {
      findings.add(
          Finding.off(
              "capability.sys_nice",
              "this process has no CAP_SYS_NICE",
              "capture has no precedence: where every processor is busy, more invocations are lost"
                  + " (they are in the ledger)",
              "give it CAP_SYS_NICE"));
    }
  }

  private static List<Finding> probe(Probe probe) {
    List<Finding> findings = new ArrayList<>();
    try {
      Taken taken = probe.check().get();
      findings.add(Finding.ok(probe.id(), "the kernel takes it: " + probe.gives() + taken.form()));
      findings.addAll(taken.parts());
    } catch (LibbpfException e) {
      findings.add(
          new Finding(
              probe.id(),
              probe.isOptional() ? Status.OFF : Status.MISSING,
              "the kernel refuses it: " + probe.gives() + ": " + firstLine(e),
              probe.cost(),
              "use Linux 6.1 or newer, which it is tested with, and see that BPF is allowed"));
    }
    return findings;
  }

  private static Taken http() {
    return HttpProbe.checkIsPlain()
        ? new Taken(", in its form for older kernels", List.of())
        : Taken.WHOLE;
  }

  private static Taken sched() {
    Finding scope = scope(SchedProbe.check().map(Doctor::firstLine));
    return new Taken("", List.of(scope, throttle(ThrottleClock.ofKernel())));
  }

  private static Taken object(String name) {
    ProbeObject.check(name);
    return Taken.WHOLE;
  }

  static Finding scope(Optional<String> refusal) {
    String id = "probe.sched.scope";
    return refusal
        .map(reason ->
            Finding.off(
                id,
                "the kernel does not tell which thread answers (tracepoint sock_send_length, Linux"
                    + " 6.3): "
                    + reason,
                "spans have no time accounts, and so no headspan.scope; there is only the victim x"
                    + " culprit matrix",
                "use Linux 6.3 or newer"))
        .orElseGet(() -> Finding.ok(id, "the kernel tells which thread answers: " + SCOPES));
  }

  static Finding throttle(ThrottleClock clock) {
    String id = "probe.sched.throttle";
    return switch (clock) {
      case RUN_QUEUE -> Finding.ok(id, "time lost to an own quota is told apart exactly");
      case LOAD_AVERAGE ->
          inexact(
              id, "the load averages (Linux before 6.5)", "changes its speed or is interrupted");
      case TASK -> inexact(id, "tasks (Linux before 5.19)", "is interrupted");
      case NONE -> Finding.ok(id, "this kernel has no quotas of CPU time");
    };
  }

  private static Finding inexact(String id, String clock, String cause) {
    return Finding.off(
        id,
        "time lost to an own quota is told apart by the clock of " + clock,
        "as far as a processor "
            + cause
            + " meanwhile, waits of containers with quotas are charged to {unknown}",
        "use Linux 6.5 or newer");
  }

  private void platforms() {
    PlatformSettings platforms = config.platforms();
    List<String> sockets =
        platforms.criSockets().stream().filter(each -> Files.exists(Path.of(each))).toList();
    findings.add(
        sockets.isEmpty()
            ? Finding.absent("identity.cri", "no Kubernetes container runtime: no socket is there")
            : Finding.ok("identity.cri", "pods, labels and annotations from " + sockets));
    boolean hasKubelet = platforms.kubelet() != null;
    findings.add(
        hasKubelet
            ? Finding.ok("identity.kubelet", "pods from " + platforms.kubelet())
            : Finding.absent("identity.kubelet", "the kubelet is not asked: none is configured"));
    Path docker = platforms.dockerRoot().resolve("containers");
    if (!Files.isDirectory(docker)) {
      findings.add(Finding.absent("identity.docker", "no Docker: " + docker + " is not there"));
    } else if (!Files.isReadable(docker)) {
      findings.add(
          Finding.off(
              "identity.docker",
              "Docker's containers cannot be read: " + docker,
              "Docker's containers have no names and labels",
              "give the agent CAP_DAC_READ_SEARCH"));
    } else {
      findings.add(Finding.ok("identity.docker", "names and labels from " + docker));
    }
    Path executors = config.runDirectory().resolve("executors");
    findings.add(
        Files.isDirectory(executors)
            ? Finding.ok("identity.executors", "Wasm functions from " + executors)
            : Finding.absent("identity.executors", "no Wasm executor has registered"));
  }

  private void leftovers() {
    try {
      for (Path file : ExecutorRegistrations.leftBehind(config.runDirectory())) {
        leftover("registration of an executor that is gone: " + file);
      }
      for (Path pin : pins(bpfFiles)) {
        leftover("pinned BPF object: " + pin);
      }
    } catch (IOException e) {
      findings.add(
          Finding.off(
              "leftovers",
              "leftovers cannot be looked for: " + e,
              "what killed agents left stays",
              "run as root"));
    }
  }

  private void leftover(String what) {
    findings.add(new Finding("leftover", Status.LEFTOVER, what, null, "headspan doctor --clean"));
  }

  private static List<Path> pins(Path bpfFiles) throws IOException {
    List<Path> pins = new ArrayList<>();
    if (Files.isDirectory(bpfFiles)) {
      try (DirectoryStream<Path> found = Files.newDirectoryStream(bpfFiles, PINS)) {
        found.forEach(pins::add);
      }
    }
    return pins;
  }

  private static String firstLine(LibbpfException failure) {
    String text = String.valueOf(failure.getMessage());
    int end = text.indexOf('\n');
    return end < 0 ? text : text.substring(0, end);
  }
}
