package io.headspan.wire.signal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.otap.OtapException;
import io.headspan.wire.signal.v1.SignalKind;
import io.headspan.wire.signal.v1.SignalReport;
import java.util.List;
import org.junit.jupiter.api.Test;

class NodeReportTest {
  private static final long LIMIT_BYTES = 1 << 20;

  @Test
  void everyKindComesBackAsItWas() {
    List<NodeSignal> signals =
        List.of(
            new NodeSignal.Ledger(
                List.of(
                    new NodeSignal.Ledger.Entry("acme", "captured", "", 1_000_000_000_000L),
                    new NodeSignal.Ledger.Entry("", "dropped", "ring_full", 7))),
            new NodeSignal.Interference(
                List.of(new NodeSignal.Interference.Cell("acme", "globex", 12_345_678, 42))),
            new NodeSignal.Pressure(
                List.of(
                    new NodeSignal.Pressure.Stall("cpu", 1_500_000, 0),
                    new NodeSignal.Pressure.Stall("io", 9, 3))),
            new NodeSignal.Interference(List.of()));
    long sequence = 1;
    for (NodeSignal signal : signals) {
      NodeReport report =
          new NodeReport("agent", "boot", sequence++, "node-1", 1_700_000_000L, 10_000, signal);
      assertThat(NodeReport.decode(report.encode(), LIMIT_BYTES)).isEqualTo(report);
    }
  }

  @Test
  void refusesAKindItDoesNotKnow() {
    assertThatThrownBy(() ->
            NodeReport.decode(SignalReport.newBuilder().setKindValue(99).build(), LIMIT_BYTES))
        .isInstanceOfSatisfying(
            OtapException.class,
            e -> assertThat(e.kind()).isEqualTo(OtapException.Kind.UNSUPPORTED));
  }

  @Test
  void refusesATableOfAnotherKind() {
    NodeReport pressure =
        new NodeReport("a", "b", 1, "h", 1, 1, new NodeSignal.Pressure(List.of()));
    SignalReport wrong = pressure.encode().toBuilder().setKind(SignalKind.LEDGER).build();
    assertThatThrownBy(() -> NodeReport.decode(wrong, LIMIT_BYTES))
        .isInstanceOf(OtapException.class)
        .hasMessageContaining("column=tenant");
  }
}
