package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;

/// The capabilities of a thread (capabilities(7)). In Linux they belong to threads: a thread gets
/// those of the one that starts it, and can only lay down its own.
public final class Capabilities {
  /// A capability that the agent knows a use for.
  public enum Capability {
    /// Reading files and directories of others: states of containers, executors' registrations.
    DAC_READ_SEARCH(2),
    /// Attaching to cgroups and sockets.
    NET_ADMIN(12),
    /// Seeing what processes of others have open: who listens at a port.
    SYS_PTRACE(19),
    /// What BPF needed before 5.8.
    SYS_ADMIN(21),
    /// Precedence over other threads.
    SYS_NICE(23),
    /// Programs at tracepoints.
    PERFMON(38),
    /// Programs and maps.
    BPF(39);

    private final int number;

    Capability(int number) {
      this.number = number;
    }

    /// As the kernel's documentation calls it.
    @Override
    public String toString() {
      return "CAP_" + name();
    }

    long bit() {
      return 1L << number;
    }
  }

  // <linux/capability.h>
  private static final int VERSION_3 = 0x20080522;
  private static final int WORDS = 2;

  private Capabilities() {}

  /// What the process that calls may do, as far as it is in [Capability]. All of them where this
  /// cannot be found out.
  public static Set<Capability> effective() {
    return effective(Path.of("/proc/thread-self/status"));
  }

  static Set<Capability> effective(Path status) {
    Set<Capability> found = EnumSet.noneOf(Capability.class);
    long bits = effectiveBits(status);
    for (Capability each : Capability.values()) {
      if ((bits & each.bit()) != 0) {
        found.add(each);
      }
    }
    return found;
  }

  private static long effectiveBits(Path status) {
    String field = "CapEff:";
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith(field))
          .map(line -> Long.parseUnsignedLong(line.substring(field.length()).strip(), 16))
          .findFirst()
          .orElse(-1L);
    } catch (IOException | UncheckedIOException | NumberFormatException e) {
      return -1; // no /proc: what is forbidden shows when it is tried
    }
  }

  /// Lays down every capability of this thread but those given, for good. Threads that it starts
  /// later have no others; those that run already keep theirs.
  ///
  /// @return what is left
  /// @throws LibbpfException if the kernel refuses
  public static Set<Capability> keepOnly(Set<Capability> wanted) {
    Set<Capability> kept = EnumSet.noneOf(Capability.class);
    kept.addAll(effective());
    kept.retainAll(wanted);
    long bits = kept.stream().mapToLong(Capability::bit).reduce(0, (a, b) -> a | b);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocateFrom(JAVA_INT, VERSION_3, 0);
      // struct __user_cap_data_struct: effective, permitted, inheritable, 32 bits each, twice.
      MemorySegment data = arena.allocate(JAVA_INT, 3L * WORDS);
      for (int word = 0; word < WORDS; word++) {
        int part = (int) (bits >>> (32 * word));
        data.setAtIndex(JAVA_INT, 3L * word, part);
        data.setAtIndex(JAVA_INT, 3L * word + 1, part);
      }
      MemorySegment callState = Libbpf.newCallState(arena);
      if (Libbpf.capset(callState, header, data) != 0) {
        throw LibbpfException.failed("capset", "keep=" + kept, Libbpf.errno(callState), "");
      }
    }
    return kept;
  }
}
