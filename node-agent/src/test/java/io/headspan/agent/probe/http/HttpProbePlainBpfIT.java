package io.headspan.agent.probe.http;

import org.junit.jupiter.api.Tag;

/// The object for kernels before 6.2, on whatever kernel this is.
@Tag("privileged")
@Tag("kernels")
class HttpProbePlainBpfIT extends HttpProbeContract {
  HttpProbePlainBpfIT() {
    super("http-plain");
  }
}
