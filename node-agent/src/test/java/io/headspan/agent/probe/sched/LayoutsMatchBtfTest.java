package io.headspan.agent.probe.sched;

import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.KernelStructs;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LayoutsMatchBtfTest {
  private static final List<StructLayout> LAYOUTS =
      List.of(
          AccountEventLayout.LAYOUT,
          AccountEventLayout.WAIT,
          MatrixLayout.KEY,
          MatrixLayout.CELL,
          MatrixLayout.TENANT);

  private final KernelStructs kernel = KernelStructs.read();

  @Test
  void everyStructHasALayoutAndEveryLayoutAStruct() {
    Set<String> structs =
        kernel.names().stream()
            .filter(name -> name.matches("(account|matrix|tenant)_.*"))
            .collect(toSet());
    assertThat(LAYOUTS.stream().map(layout -> layout.name().orElseThrow()))
        .containsExactlyInAnyOrderElementsOf(structs);
  }

  @Test
  void fieldsAreWhereTheKernelHasThem() {
    LAYOUTS.forEach(kernel::assertSame);
    assertThat(MatrixLayout.VICTIM).isEqualTo(offset(MatrixLayout.KEY, "victim"));
    assertThat(MatrixLayout.CULPRIT).isEqualTo(offset(MatrixLayout.KEY, "culprit"));
    assertThat(MatrixLayout.NS).isEqualTo(offset(MatrixLayout.CELL, "ns"));
    assertThat(MatrixLayout.COUNT).isEqualTo(offset(MatrixLayout.CELL, "count"));
    assertThat(MatrixLayout.TENANT_NUMBER).isEqualTo(offset(MatrixLayout.TENANT, "tenant"));
    assertThat(MatrixLayout.WATCHED).isEqualTo(offset(MatrixLayout.TENANT, "watched"));
  }

  @Test
  void constantsAreTheKernels() {
    assertThat(kernel.enumConstants("event_kind"))
        .containsEntry("EVENT_ACCOUNT", AccountEventLayout.KIND);
    assertThat(kernel.enumConstants("tenant_number"))
        .containsOnly(
            Map.entry("TENANT_UNKNOWN", TenantNumber.UNKNOWN),
            Map.entry("TENANT_IDLE", TenantNumber.IDLE),
            Map.entry("TENANT_KERNEL", TenantNumber.KERNEL),
            Map.entry("TENANT_HOST", TenantNumber.HOST),
            Map.entry("TENANT_UNTENANTED", TenantNumber.UNTENANTED),
            Map.entry("TENANT_FIRST", TenantNumber.FIRST));
    Map<String, Integer> causes = new LinkedHashMap<>();
    for (AccountRecord.Cause cause : AccountRecord.Cause.values()) {
      assertThat(AccountRecord.Cause.of(cause.kernelNumber())).isEqualTo(cause);
      causes.put("ACCOUNT_" + cause, cause.kernelNumber());
    }
    assertThat(kernel.enumConstants("account_cause")).isEqualTo(causes);
    Map<String, Integer> counters = new LinkedHashMap<>();
    for (SchedCounter counter : SchedCounter.values()) {
      counters.put("SCHED_" + counter, counter.kernelIndex());
    }
    counters.put("SCHED_COUNTERS", counters.size());
    assertThat(kernel.enumConstants("sched_counter")).isEqualTo(counters);
  }

  private static long offset(StructLayout layout, String field) {
    return layout.byteOffset(PathElement.groupElement(field));
  }
}
