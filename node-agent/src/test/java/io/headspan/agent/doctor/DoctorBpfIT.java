package io.headspan.agent.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.doctor.Finding.Status;
import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.agent.probe.http.HttpProbe;
import io.headspan.agent.probe.sched.SchedProbe;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the doctor says of this kernel, against its version and what the agent makes of it.
@Tag("privileged")
@Tag("kernels")
class DoctorBpfIT {
  @TempDir private Path directory;

  @Test
  void findsWhatTheAgentFinds() {
    List<Finding> findings = Doctor.examine(AgentConfig.from(Map.of()), directory);
    assertThat(findings)
        .filteredOn(each -> each.id().startsWith("probe."))
        .extracting(Finding::id)
        .containsExactly(
            "probe.http",
            "probe.lifecycle",
            "probe.sched",
            "probe.sched.scope",
            "probe.sched.throttle",
            "probe.older");
    for (String taken : List.of("http", "lifecycle", "sched", "older")) {
      assertThat(status(findings, "probe." + taken)).as(taken).isEqualTo(Status.OK);
    }
    assertThat(status(findings, "probe.sched.scope")).isEqualTo(okSince(6, 3));
    assertThat(status(findings, "probe.sched.throttle")).isEqualTo(okSince(6, 5));
    try (HttpProbe http = HttpProbe.open(BpfSupport.cgroup2Mount().orElseThrow());
        SchedProbe sched = SchedProbe.open(http.connections(), http.transcripts())) {
      assertThat(sched.seesAnswers()).isEqualTo(status(findings, "probe.sched.scope") == Status.OK);
    }
  }

  private static Status status(List<Finding> findings, String id) {
    return findings.stream()
        .filter(each -> each.id().equals(id))
        .findFirst()
        .map(Finding::status)
        .orElseThrow();
  }

  private static Status okSince(int major, int minor) {
    String[] running = System.getProperty("os.version").split("[^0-9]+", -1);
    int runningMajor = Integer.parseInt(running[0]);
    boolean isThere =
        runningMajor > major || (runningMajor == major && Integer.parseInt(running[1]) >= minor);
    return isThere ? Status.OK : Status.OFF;
  }
}
