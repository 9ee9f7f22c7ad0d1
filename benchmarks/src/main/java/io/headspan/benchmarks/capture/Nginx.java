package io.headspan.benchmarks.capture;

import java.io.IOException;

/// nginx, driven by `wrk`.
record Nginx(WebServer server, Wrk wrk) implements Application {
  @Override
  public String name() {
    return "nginx";
  }

  @Override
  public Run run(String prefix, int connections, int pauseMillis, int seconds)
      throws IOException, InterruptedException {
    return wrk.run(server.url(), prefix, connections, pauseMillis, seconds);
  }

  @Override
  public void close() {
    server.close();
  }
}
