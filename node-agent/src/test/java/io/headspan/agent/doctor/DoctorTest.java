package io.headspan.agent.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.AgentConfig;
import io.headspan.agent.doctor.Finding.Status;
import io.headspan.agent.probe.sched.ThrottleClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
  @TempDir private Path directory;

  @Test
  void theWorstFindingGivesTheExitCode() {
    Finding ok = Finding.ok("a", "there");
    Finding absent = Finding.absent("b", "no Docker");
    Finding off = Finding.off("c", "off", "no names", null);
    Finding missing = Finding.missing("d", "no BTF", "mount sysfs");
    Finding leftover = new Finding("e", Status.LEFTOVER, "file", null, "--clean");
    assertThat(Doctor.exitCode(List.of(ok, absent))).isEqualTo(Doctor.ALL_ON);
    assertThat(Doctor.exitCode(List.of(ok, leftover))).isEqualTo(Doctor.LEFTOVERS);
    assertThat(Doctor.exitCode(List.of(leftover, off))).isEqualTo(Doctor.SOMETHING_OFF);
    assertThat(Doctor.exitCode(List.of(off, missing, leftover))).isEqualTo(Doctor.CANNOT_CAPTURE);
  }

  @Test
  void removesWhatIsLeftAndNothingElse() throws IOException {
    Path executors = Files.createDirectories(directory.resolve("run/executors"));
    long ownPid = ProcessHandle.current().pid();
    Path dead =
        Files.writeString(
            executors.resolve("999999999.json"), "{\"pid\": 999999999, \"startTicks\": 1}");
    Path recycled =
        Files.writeString(
            executors.resolve(ownPid + ".json"),
            "{\"pid\": %d, \"startTicks\": 1}".formatted(ownPid));
    Path foreign = Files.writeString(executors.resolve("README"), "not ours");
    Path pins = Files.createDirectories(directory.resolve("bpf/headspan-taps"));
    Files.writeString(pins.resolve("map"), "");
    Path others = Files.createDirectories(directory.resolve("bpf/cilium"));
    AgentConfig config =
        AgentConfig.from(Map.of("HEADSPAN_RUN_DIR", directory.resolve("run").toString()));
    Path bpfFiles = directory.resolve("bpf");

    assertThat(Doctor.examine(config, bpfFiles))
        .filteredOn(each -> each.status() == Status.LEFTOVER)
        .extracting(Finding::what)
        .containsExactlyInAnyOrder(
            "registration of an executor that is gone: " + dead,
            "registration of an executor that is gone: " + recycled,
            "pinned BPF object: " + pins);
    assertThat(Doctor.clean(config, bpfFiles)).hasSize(3);
    assertThat(dead).doesNotExist();
    assertThat(recycled).doesNotExist();
    assertThat(pins).doesNotExist();
    assertThat(foreign).exists();
    assertThat(others).exists();
    assertThat(Doctor.examine(config, bpfFiles))
        .noneMatch(each -> each.status() == Status.LEFTOVER);
    assertThat(Doctor.clean(config, bpfFiles)).isEmpty();
  }

  @Test
  void saysForEachPartHowItIs() {
    List<Finding> findings = Doctor.examine(AgentConfig.from(Map.of()), directory);
    assertThat(findings)
        .extracting(Finding::id)
        .contains(
            "library",
            "permission",
            "btf",
            "cgroup2",
            "kernel",
            "identity.cri",
            "identity.kubelet",
            "identity.docker",
            "identity.executors");
    assertThat(findings)
        .allSatisfy(each -> {
          assertThat(each.what()).isNotBlank();
          boolean isWell = each.status() == Status.OK || each.status() == Status.ABSENT;
          assertThat(each.remedy() == null).as(each.toString()).isEqualTo(isWell);
        });
  }

  @Test
  void saysWhatTheMatrixAloneCosts() {
    assertThat(Doctor.scope(Optional.empty()).status()).isEqualTo(Status.OK);
    Finding off = Doctor.scope(Optional.of("no such tracepoint: on_write"));
    assertThat(off.status()).isEqualTo(Status.OFF);
    assertThat(off.what()).contains("sock_send_length", "6.3").endsWith("tracepoint: on_write");
    assertThat(off.cost()).contains("no time accounts", "only the victim x culprit matrix");
  }

  @Test
  void saysByWhichClockThrottlingIsMeasured() {
    assertThat(Doctor.throttle(ThrottleClock.RUN_QUEUE).status()).isEqualTo(Status.OK);
    assertThat(Doctor.throttle(ThrottleClock.NONE).status()).isEqualTo(Status.OK);
    for (ThrottleClock clock : List.of(ThrottleClock.LOAD_AVERAGE, ThrottleClock.TASK)) {
      assertThat(Doctor.throttle(clock).status()).isEqualTo(Status.OFF);
      assertThat(Doctor.throttle(clock).cost()).contains("{unknown}");
    }
  }
}
