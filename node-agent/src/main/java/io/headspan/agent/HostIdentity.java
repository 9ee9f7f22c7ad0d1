package io.headspan.agent;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What names this agent and this start of it. No two starts have the same boot id, so their
/// sequence numbers cannot be taken for each other's.
///
/// @param agentId the configured one, else the machine's id, else its name
/// @param bootId the kernel's boot id and when this agent started
record HostIdentity(String agentId, String bootId, String hostName) {
  /// machine-id(5), and where D-Bus keeps the same.
  private static final List<Path> MACHINE_IDS =
      List.of(Path.of("/etc/machine-id"), Path.of("/var/lib/dbus/machine-id"));

  static HostIdentity read(Path proc, AgentConfig config) {
    String hostName = config.hostName();
    if (hostName == null) {
      hostName = firstLine(proc.resolve("sys/kernel/hostname"));
    }
    if (hostName == null) {
      hostName = localHostName();
    }
    String agentId = config.agentId();
    for (Path file : MACHINE_IDS) {
      if (agentId == null) {
        agentId = firstLine(file);
      }
    }
    String kernelBoot = firstLine(proc.resolve("sys/kernel/random/boot_id"));
    return new HostIdentity(
        agentId == null ? hostName : agentId,
        (kernelBoot == null ? "unknown-boot" : kernelBoot) + "-" + System.nanoTime(),
        hostName);
  }

  private static @Nullable String firstLine(Path file) {
    try {
      String text = Files.readString(file, StandardCharsets.UTF_8).strip();
      return text.isEmpty() ? null : text;
    } catch (IOException e) {
      return null; // the next best name does
    }
  }

  private static String localHostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }
}
