package io.headspan.agent.probe.lifecycle;

import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.KernelStructs;
import java.lang.foreign.StructLayout;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LayoutsMatchBtfTest {
  private static final List<StructLayout> LAYOUTS =
      List.of(
          ExecEventLayout.LAYOUT,
          ExitEventLayout.LAYOUT,
          CgroupEventLayout.LAYOUT,
          SocketLeftEventLayout.LAYOUT);

  private final KernelStructs kernel = KernelStructs.read();

  @Test
  void everyStructHasALayoutAndEveryLayoutAStruct() {
    Set<String> structs =
        kernel.names().stream()
            .filter(name -> !name.matches("(http|account|matrix|tenant)_.*"))
            .collect(toSet());
    assertThat(LAYOUTS.stream().map(layout -> layout.name().orElseThrow()))
        .containsExactlyInAnyOrderElementsOf(structs);
  }

  @Test
  void fieldsAreWhereTheKernelHasThem() {
    LAYOUTS.forEach(kernel::assertSame);
  }

  @Test
  void constantsAreTheKernels() {
    assertThat(kernel.enumConstants("event_kind"))
        .containsEntry("EVENT_EXEC", ExecEventLayout.KIND)
        .containsEntry("EVENT_EXIT", ExitEventLayout.KIND)
        .containsEntry("EVENT_CGROUP_CREATED", CgroupEventLayout.KIND_CREATED)
        .containsEntry("EVENT_CGROUP_REMOVED", CgroupEventLayout.KIND_REMOVED)
        .containsEntry("EVENT_SOCKET_LEFT", SocketLeftEventLayout.KIND);
    assertThat(kernel.enumConstants("lifecycle_counter"))
        .containsOnly(Map.entry("LIFECYCLE_DROPPED", 0), Map.entry("LIFECYCLE_COUNTERS", 1));
  }
}
