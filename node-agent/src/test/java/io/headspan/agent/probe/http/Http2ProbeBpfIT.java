package io.headspan.agent.probe.http;

import org.junit.jupiter.api.Tag;

/// The object for kernels from 6.2 on.
@Tag("privileged")
class Http2ProbeBpfIT extends Http2ProbeContract {
  Http2ProbeBpfIT() {
    super("http");
  }
}
