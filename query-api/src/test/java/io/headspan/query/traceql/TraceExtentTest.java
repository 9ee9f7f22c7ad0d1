package io.headspan.query.traceql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class TraceExtentTest {
  private static final String ID = "0af7651916cd43dd8448eb211c80319c";
  private static final long MINUTE_NS = Duration.ofMinutes(1).toNanos();
  private static final TimeRange ALL = new TimeRange(0, Long.MAX_VALUE);

  private static TraceExtent minutes(long from, long to) {
    return new TraceExtent(ID, from * MINUTE_NS, to * MINUTE_NS);
  }

  private static String condition(TimeRange range, TraceExtent... traces) {
    return TraceExtent.condition(List.of(traces), range);
  }

  @Test
  void namesEachFiveMinutesThatATraceReachesInto() {
    assertThat(condition(ALL, minutes(12, 15)))
        .isEqualTo(
            "(toStartOfFiveMinutes(time),trace_id) IN ((toDateTime(600,'UTC'),unhex('%1$s')),"
                    .formatted(ID)
                + "(toDateTime(900,'UTC'),unhex('%s')))".formatted(ID));
  }

  @Test
  void leavesOutWhatIsOutOfRange() {
    TimeRange range = new TimeRange(11 * MINUTE_NS, 14 * MINUTE_NS);
    assertThat(condition(range, minutes(3, 40), minutes(20, 21)))
        .isEqualTo(
            "(toStartOfFiveMinutes(time),trace_id) IN ((toDateTime(600,'UTC'),unhex('%s')))"
                .formatted(ID));
  }

  @Test
  void isFalseForNoTrace() {
    assertThat(condition(ALL)).isEqualTo("0");
    assertThat(condition(new TimeRange(0, MINUTE_NS), minutes(20, 21))).isEqualTo("0");
  }

  @Test
  void goesByTheTraceIdWhereTimesAreOfNoUse() {
    String byId = "trace_id IN (unhex('" + ID + "'))";
    assertThat(condition(ALL, minutes(0, Duration.ofDays(300).toMinutes()))).isEqualTo(byId);
    assertThat(condition(ALL, new TraceExtent(ID, -1, 1))).isEqualTo(byId);
    assertThat(condition(ALL, new TraceExtent(ID, Long.MAX_VALUE - 1, Long.MAX_VALUE)))
        .isEqualTo(byId);
  }

  @Test
  void refusesWhatIsNoTraceId() {
    assertThatThrownBy(() -> new TraceExtent("1') OR 1=1 --", 0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not a trace id");
  }
}
