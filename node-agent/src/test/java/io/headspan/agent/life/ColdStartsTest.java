package io.headspan.agent.life;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import org.junit.jupiter.api.Test;

class ColdStartsTest {
  private final ColdStarts coldStarts = new ColdStarts();

  @Test
  void isTheFirstResponseAfterTheFirstProgram() {
    make(1);
    execute(1, "/proc/self/fd/7", 100);
    execute(1, "/bin/serve", 200);
    execute(1, "/bin/health-check", 300);
    HttpExchange first = take(Role.SERVER, 11, 1, 5_000);
    HttpExchange second = take(Role.SERVER, 11, 1, 6_000);
    assertThat(coldStarts.coldStartNs(first)).isEqualTo(4_800);
    assertThat(coldStarts.coldStartNs(second)).isZero();
  }

  @Test
  void isNoCallOut() {
    make(1);
    execute(1, "/bin/serve", 200);
    HttpExchange call = take(Role.CLIENT, 11, 1, 3_000);
    assertThat(coldStarts.coldStartNs(call)).isZero();
    HttpExchange first = take(Role.SERVER, 12, 1, 5_000);
    assertThat(coldStarts.coldStartNs(first)).isEqualTo(4_800);
  }

  @Test
  void waitsForAResponse() {
    make(1);
    execute(1, "/bin/serve", 200);
    assertThat(coldStarts.coldStartNs(take(Role.SERVER, 11, 1, 0))).isZero();
    assertThat(coldStarts.coldStartNs(take(Role.SERVER, 12, 1, 5_000))).isEqualTo(4_800);
  }

  @Test
  void isUnknownOfInstancesThatWereThereBefore() {
    execute(1, "/bin/serve", 200);
    assertThat(coldStarts.coldStartNs(take(Role.SERVER, 11, 1, 5_000))).isZero();
    make(2);
    assertThat(coldStarts.coldStartNs(take(Role.SERVER, 11, 2, 5_000))).isZero();
  }

  @Test
  void outlivesTheCgroup() {
    make(1);
    execute(1, "/bin/serve", 200);
    HttpExchange first = take(Role.SERVER, 11, 1, 5_000);
    coldStarts.onEvent(new LifecycleEvent.CgroupRemoved(6_000, 1, "/c"));
    assertThat(coldStarts.coldStartNs(first)).isEqualTo(4_800);
  }

  private void make(long cgroupId) {
    coldStarts.onEvent(new LifecycleEvent.CgroupCreated(50, cgroupId, "/c"));
  }

  private void execute(long cgroupId, String program, long timeNs) {
    coldStarts.onEvent(new LifecycleEvent.Exec(timeNs, 17, cgroupId, program));
  }

  private HttpExchange take(Role role, long cookie, long cgroupId, long responseNs) {
    HttpExchange exchange =
        Exchanges.exchange(
            role, cookie, cgroupId, responseNs, responseNs == 0 ? End.RESET : End.RESPONSE);
    coldStarts.onExchange(exchange);
    return exchange;
  }
}
