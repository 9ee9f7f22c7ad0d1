package io.headspan.agent.probe.http;

import org.junit.jupiter.api.Tag;

/// The object for kernels before 6.2.
@Tag("privileged")
@Tag("kernels")
class Http2ProbePlainBpfIT extends Http2ProbeContract {
  Http2ProbePlainBpfIT() {
    super("http-plain");
  }
}
