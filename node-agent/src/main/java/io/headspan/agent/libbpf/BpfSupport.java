package io.headspan.agent.libbpf;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// What this machine and this process lack for BPF. Nothing here throws: it is for telling a user.
public final class BpfSupport {
  private static final Path PROC = Path.of("/proc");
  private static final Path BTF = Path.of("/sys/kernel/btf/vmlinux");

  // <linux/capability.h>
  private static final int CAP_NET_ADMIN = 12;
  private static final int CAP_SYS_ADMIN = 21;
  private static final int CAP_PERFMON = 38;
  private static final int CAP_BPF = 39;

  /// A thing that BPF programs of the agent need.
  public enum Part {
    /// libbpf, and the right to call it from Java.
    LIBRARY,
    /// Capabilities of this process, and no filter in front of the `bpf` system call.
    PERMISSION,
    /// The kernel's description of its own types.
    BTF,
    /// The cgroup v2 hierarchy.
    CGROUP2,
    /// Map and program types (kernel 5.8).
    KERNEL
  }

  /// One thing that is missing.
  ///
  /// @param reason what is missing
  /// @param remedy what to do about it
  public record Missing(Part part, String reason, String remedy) {}

  private BpfSupport() {}

  /// Everything that is missing; empty if BPF can be used.
  public static List<Missing> check() {
    var missing = new ArrayList<Missing>();
    Optional<String> libraryProblem = Libbpf.problem();
    libraryProblem.ifPresent(problem -> missing.add(library(problem)));
    Optional<Missing> capabilities = capabilities(PROC);
    capabilities.ifPresent(missing::add);
    btf(BTF).ifPresent(missing::add);
    if (cgroup2Mount().isEmpty()) {
      missing.add(
          new Missing(
              Part.CGROUP2,
              "no cgroup v2 hierarchy is mounted",
              "mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none"
                  + " /sys/fs/cgroup/unified"));
    }
    // What the kernel can do shows only to who may and can ask it.
    if (libraryProblem.isEmpty() && capabilities.isEmpty()) {
      probeKernel(missing);
    }
    return List.copyOf(missing);
  }

  /// Where the cgroup v2 hierarchy is mounted; the first place if there are several.
  public static Optional<Path> cgroup2Mount() {
    // A later mount over one of its parents can hide a mount that is still listed.
    return cgroup2Mounts(PROC).stream()
        .filter(mount -> Files.exists(mount.resolve("cgroup.procs")))
        .findFirst();
  }

  static List<Path> cgroup2Mounts(Path proc) {
    // proc_pid_mountinfo(5): id parent device root mount-point options fields... - type ...
    try (Stream<String> lines = Files.lines(proc.resolve("self/mountinfo"))) {
      return lines
          .map(line -> line.split(" - ", 2))
          .filter(halves -> halves.length == 2 && halves[1].startsWith("cgroup2 "))
          .map(halves -> halves[0].split(" "))
          // A root other than "/" is a part of the hierarchy that was bound elsewhere.
          .filter(fields -> fields.length > 4 && fields[3].equals("/"))
          .map(fields -> Path.of(unescape(fields[4])))
          .toList();
    } catch (IOException | UncheckedIOException _) {
      // No /proc: nothing is known to be mounted, which is the answer.
      return List.of();
    }
  }

  /// mountinfo writes space, tab, newline and backslash as three octal digits.
  private static String unescape(String field) {
    return field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\");
  }

  static Optional<Missing> capabilities(Path proc) {
    long effective;
    try (Stream<String> lines = Files.lines(proc.resolve("self/status"))) {
      effective =
          lines
              .filter(line -> line.startsWith("CapEff:"))
              .map(line -> Long.parseUnsignedLong(line.substring("CapEff:".length()).strip(), 16))
              .findFirst()
              .orElse(0L);
    } catch (IOException | UncheckedIOException | NumberFormatException failure) {
      return Optional.of(
          new Missing(
              Part.PERMISSION,
              "the capabilities of this process could not be read: " + failure,
              "mount /proc"));
    }
    var absent = new ArrayList<String>();
    if (!has(effective, CAP_SYS_ADMIN)) {
      if (!has(effective, CAP_BPF)) {
        absent.add("CAP_BPF");
      }
      if (!has(effective, CAP_PERFMON)) {
        absent.add("CAP_PERFMON");
      }
    }
    if (!has(effective, CAP_NET_ADMIN)) {
      absent.add("CAP_NET_ADMIN");
    }
    return absent.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new Missing(
                Part.PERMISSION,
                "this process may not use BPF: missing=" + absent,
                "run it as root, or give it " + String.join(", ", absent)));
  }

  static Optional<Missing> btf(Path vmlinux) {
    return Files.isReadable(vmlinux)
        ? Optional.empty()
        : Optional.of(
            new Missing(
                Part.BTF,
                "the kernel's BTF cannot be read: path=" + vmlinux,
                "mount sysfs, or use a kernel built with CONFIG_DEBUG_INFO_BTF=y"));
  }

  private static Missing library(String problem) {
    int end = problem.indexOf("; ");
    return end < 0
        ? new Missing(Part.LIBRARY, problem, "install libbpf 1.0 or newer")
        : new Missing(Part.LIBRARY, problem.substring(0, end), problem.substring(end + 2));
  }

  /// Has libbpf try the types that everything here is built of.
  private static void probeKernel(List<Missing> missing) {
    probe(missing, "map type BPF_MAP_TYPE_RINGBUF", mapType(Libbpf.BPF_MAP_TYPE_RINGBUF));
    probe(missing, "map type BPF_MAP_TYPE_SK_STORAGE", mapType(Libbpf.BPF_MAP_TYPE_SK_STORAGE));
    probe(
        missing,
        "program type BPF_PROG_TYPE_CGROUP_SKB",
        programType(Libbpf.BPF_PROG_TYPE_CGROUP_SKB));
    probe(
        missing, "program type BPF_PROG_TYPE_SOCK_OPS", programType(Libbpf.BPF_PROG_TYPE_SOCK_OPS));
  }

  private static int mapType(int type) {
    return Libbpf.probeMapType(type, MemorySegment.NULL);
  }

  private static int programType(int type) {
    return Libbpf.probeProgramType(type, MemorySegment.NULL);
  }

  /// @param result 1: there; 0: not there; else a negative error number
  private static void probe(List<Missing> missing, String what, int result) {
    if (result == 0) {
      missing.add(
          new Missing(
              Part.KERNEL,
              "the kernel refuses a " + what,
              "use Linux 5.8 or newer with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF, and allow the"
                  + " bpf system call (seccomp, lockdown)"));
    } else if (result < 0) {
      missing.add(
          new Missing(
              Part.KERNEL,
              "asking the kernel failed: " + what + ", errno=" + Errno.describe(-result),
              "see that the bpf system call is allowed to this process (seccomp, lockdown)"));
    }
  }

  private static boolean has(long capabilities, int capability) {
    return (capabilities >>> capability & 1) != 0;
  }
}
