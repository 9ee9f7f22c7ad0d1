package io.headspan.agent.life;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.lifecycle.LifecycleEvent.SocketLeft;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeathsTest {
  private final List<HttpExchange> released = new ArrayList<>();
  private final Deaths deaths = new Deaths();

  @ParameterizedTest
  @CsvSource({
    "0x0000, false, exit:0",
    "0x0300, false, exit:3",
    "0x0009, false, signal:9",
    "0x008b, false, signal:11",
    "0x0009, true, oom_kill"
  })
  void namesTheCause(String exitCode, boolean oomKilled, String cause) {
    assertThat(Deaths.cause(Integer.decode(exitCode), oomKilled)).isEqualTo(cause);
  }

  @Test
  void knowsWhichExchangeAProcessLeft() {
    deaths.onEvent(left(7, 5_000));
    HttpExchange broken = broken(7);
    assertThat(hold(broken)).isFalse();
    assertThat(deaths.causeOf(broken)).isEqualTo("signal:9");
    assertThat(deaths.causeOf(broken(8))).isNull();
  }

  @Test
  void holdsWhatBrokeOffUntilTheOtherRingHasBeenRead() {
    HttpExchange broken = broken(7);
    assertThat(hold(broken)).isTrue();
    assertThat(released).isEmpty();
    deaths.onEvent(left(7, 5_000));
    deaths.onEventsRead(6_000);
    assertThat(released).containsExactly(broken);
    assertThat(deaths.held()).isZero();
    assertThat(deaths.causeOf(broken)).isEqualTo("signal:9");
    deaths.onEventsRead(7_000);
    assertThat(released).hasSize(1);
  }

  @Test
  void leavesAWholeResponseAlone() {
    deaths.onEvent(left(7, 5_000));
    HttpExchange whole = Exchanges.exchange(Role.SERVER, 7, 1, 1_500, End.RESPONSE);
    assertThat(hold(whole)).isFalse();
    assertThat(deaths.causeOf(whole)).isNull();
  }

  @Test
  void forgetsInTime() {
    deaths.onEvent(left(7, 5_000));
    deaths.onEventsRead(5_000 + Deaths.REMEMBER_NS);
    assertThat(deaths.causeOf(broken(7))).isNotNull();
    deaths.onEventsRead(5_001 + Deaths.REMEMBER_NS);
    assertThat(deaths.causeOf(broken(7))).isNull();
    assertThat(deaths.forgotten()).isZero();
  }

  @Test
  void forgetsTheOldestWhenThereAreTooMany() {
    for (int cookie = 0; cookie <= Deaths.REMEMBERED_MAX; cookie++) {
      deaths.onEvent(left(cookie, 5_000));
    }
    assertThat(deaths.causeOf(broken(0))).isNull();
    assertThat(deaths.causeOf(broken(1))).isNotNull();
    assertThat(deaths.forgotten()).isEqualTo(1);
  }

  private boolean hold(HttpExchange exchange) {
    return deaths.hold(exchange, () -> released.add(exchange));
  }

  private static SocketLeft left(long cookie, long timeNs) {
    return new SocketLeft(timeNs, 17, cookie, 1, 9, false);
  }

  private static HttpExchange broken(long cookie) {
    return Exchanges.exchange(Role.SERVER, cookie, 1, 0, End.RESET);
  }
}
