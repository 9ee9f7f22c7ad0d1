package io.headspan.agent.signal;

import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Pressure.Stall;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// For how long work on this node stood still for want of processors, memory or I/O, from the
/// kernel's pressure stall information (Documentation/accounting/psi.rst). Nothing where the kernel
/// has none. One thread.
public final class PressureSource implements SignalSource {
  private static final List<String> RESOURCES = List.of("cpu", "memory", "io");
  private static final Pattern TOTAL = Pattern.compile("(?m)^(some|full) .*\\btotal=(\\d{1,18})$");
  private static final long NS_PER_US = 1_000;

  private final Path directory;

  /// Stalls since the kernel started, at the last call.
  private final Map<String, Stall> last = new HashMap<>();

  /// @param proc where procfs is mounted
  public PressureSource(Path proc) {
    directory = proc.resolve("pressure");
  }

  @Override
  public Optional<NodeSignal> take() {
    List<Stall> stalls = new ArrayList<>();
    for (String resource : RESOURCES) {
      Optional<Stall> total = read(resource);
      total.ifPresent(now -> {
        Stall before = last.put(resource, now);
        if (before != null) {
          stalls.add(
              new Stall(resource, now.someNs() - before.someNs(), now.fullNs() - before.fullNs()));
        }
      });
    }
    return stalls.isEmpty() ? Optional.empty() : Optional.of(new NodeSignal.Pressure(stalls));
  }

  private Optional<Stall> read(String resource) {
    Path file = directory.resolve(resource);
    if (!Files.isReadable(file)) {
      return Optional.empty();
    }
    String text;
    try {
      text = Files.readString(file, StandardCharsets.US_ASCII);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    long someNs = 0;
    long fullNs = 0;
    Matcher lines = TOTAL.matcher(text);
    while (lines.find()) {
      long ns = Long.parseLong(lines.group(2)) * NS_PER_US;
      if (lines.group(1).equals("some")) {
        someNs = ns;
      } else {
        fullNs = ns;
      }
    }
    return Optional.of(new Stall(resource, someNs, fullNs));
  }
}
