package io.headspan.query;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// A query API in a process of its own, whose memory can be looked at.
public final class QueryProcess implements AutoCloseable {
  private static final String READY = "query API listens on port ";
  private static final int KIB_PER_MIB = 1024;

  private final Process process;
  private final int port;

  private QueryProcess(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /// Starts one on a free port. It ends if its heap is not enough.
  ///
  /// @param settings as environment, `HEADSPAN_QUERY_…`
  public static QueryProcess start(int heapMib, Map<String, String> settings) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMib + "m",
                "-XX:+UseSerialGC",
                "-XX:+ExitOnOutOfMemoryError",
                "-cp",
                System.getProperty("java.class.path"),
                QueryProcess.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().putAll(settings);
    builder.environment().put("HEADSPAN_QUERY_LISTEN", "127.0.0.1:0");
    Process process = builder.start();
    BufferedReader out = process.inputReader();
    for (String line = out.readLine(); line != null; line = out.readLine()) {
      if (line.startsWith(READY)) {
        Thread.ofPlatform()
            .daemon()
            .name("query-output")
            .start(() -> out.lines().forEach(each -> System.out.println("query API: " + each)));
        return new QueryProcess(process, Integer.parseInt(line.substring(READY.length())));
      }
    }
    process.destroyForcibly();
    throw new IOException("the query API did not start");
  }

  public static void main(String[] arguments) throws InterruptedException {
    QueryApi api = QueryApi.start(QueryConfig.from(System.getenv()));
    Runtime.getRuntime().addShutdownHook(new Thread(api::close));
    System.out.println(READY + api.port());
    Thread.currentThread().join();
  }

  /// MiB of memory of a process.
  ///
  /// @param field of `/proc/PID/status`: `VmRSS` is what it has, `VmHWM` the most it had
  public static long mib(long pid, String field) throws IOException {
    return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
        .filter(line -> line.startsWith(field + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) / KIB_PER_MIB)
        .findFirst()
        .orElseThrow();
  }

  public int port() {
    return port;
  }

  public long pid() {
    return process.pid();
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    try {
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IOException("the query API did not stop");
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
