package io.headspan.agent.probe.http;

import io.headspan.agent.libbpf.BpfSupport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A cgroup of the v2 hierarchy with this process in it, so that a test sees its own sockets only.
/// Closing puts the process back where it was.
public final class TestCgroup implements AutoCloseable {
  static final Path ROOT = BpfSupport.cgroup2Mount().orElseThrow();

  private final Path home;
  private final Path path;

  public TestCgroup() {
    this(ROOT.resolve("headspan-test-" + ProcessHandle.current().pid()));
  }

  private TestCgroup(Path path) {
    this.path = path;
    this.home = own();
    try {
      Files.createDirectory(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    enter(path, ProcessHandle.current().pid());
  }

  public Path path() {
    return path;
  }

  /// The id by which the kernel knows it.
  public long id() {
    return id(path);
  }

  static long id(Path cgroup) {
    try {
      return (Long) Files.getAttribute(cgroup, "unix:ino");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void enter(Path cgroup, long pid) {
    try {
      Files.writeString(cgroup.resolve("cgroup.procs"), Long.toString(pid));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path own() {
    try {
      return Files.readAllLines(Path.of("/proc/self/cgroup")).stream()
          .filter(line -> line.startsWith("0::/"))
          .map(line -> ROOT.resolve(line.substring("0::/".length())))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    enter(home, ProcessHandle.current().pid());
    try {
      Files.delete(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
