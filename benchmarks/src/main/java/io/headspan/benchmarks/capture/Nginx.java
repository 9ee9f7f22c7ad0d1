package io.headspan.benchmarks.capture;

import java.io.IOException;

/// nginx, driven by `wrk`; at a fixed rate by [HttpClientMain].
record Nginx(WebServer server, Wrk wrk) implements Application {
  @Override
  public String name() {
    return "nginx";
  }

  @Override
  public Run run(String prefix, int connections, int perSecond, int seconds)
      throws IOException, InterruptedException {
    return perSecond == 0
        ? wrk.run(server.url(), prefix, connections, 0, seconds)
        : JavaProgram.run(
            HttpClientMain.class, server.port(), prefix, connections, perSecond, seconds);
  }

  @Override
  public void close() {
    server.close();
  }
}
