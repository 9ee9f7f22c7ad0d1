package io.headspan.agent;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventsFirstTest {
  private static final InetSocketAddress ADDRESS = new InetSocketAddress("127.0.0.1", 80);

  private final List<String> handedOn = new ArrayList<>();
  private long nowNs = 100;
  private final EventsFirst first =
      new EventsFirst(
          () -> handedOn.add("events until " + nowNs),
          () -> nowNs,
          exchange -> handedOn.add("exchange of " + exchange.tailNs()));

  @Test
  void readsEventsAgainBeforeAnExchangeThatEndedAfterTheyWereRead() {
    first.readEvents();
    nowNs = 300;
    first.onExchange(endedAt(90));
    first.onExchange(endedAt(250));
    first.onExchange(endedAt(260));
    assertThat(handedOn)
        .containsExactly(
            "events until 100",
            "exchange of 90",
            "events until 300",
            "exchange of 250",
            "exchange of 260");
  }

  private static HttpExchange endedAt(long tailNs) {
    return new HttpExchange(
        HttpExchange.Role.SERVER,
        1,
        1,
        ADDRESS,
        ADDRESS,
        1,
        1,
        tailNs,
        tailNs,
        new byte[0],
        true,
        200,
        10,
        HttpExchange.End.RESPONSE,
        0,
        false);
  }
}
