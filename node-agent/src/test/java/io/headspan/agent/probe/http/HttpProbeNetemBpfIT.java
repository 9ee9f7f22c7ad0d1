package io.headspan.agent.probe.http;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toUnmodifiableSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange.End;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;

/// HTTP/1.1.
@Tag("privileged")
@Tag("kernels")
class HttpProbeNetemBpfIT extends NetemContract {
  HttpProbeNetemBpfIT() {
    super(NetemTraffic.class, 48);
  }

  @Override
  void assertAllRight(String where, List<HttpExchange> exchanges) {
    Map<String, List<HttpExchange>> byHead = exchanges.stream().collect(groupingBy(Captures::head));
    List<String> wrong = new ArrayList<>();
    Set<String> expected =
        IntStream.range(0, REQUESTS).mapToObj(NetemTraffic::request).collect(toUnmodifiableSet());
    for (int number = 0; number < REQUESTS; number++) {
      List<HttpExchange> found = byHead.getOrDefault(NetemTraffic.request(number), List.of());
      if (found.size() != 1) {
        wrong.add(number + " captured " + found.size() + " times");
        continue;
      }
      HttpExchange exchange = found.getFirst();
      if (!exchange.headComplete()
          || exchange.status() != NetemTraffic.status(number)
          || exchange.end() != End.RESPONSE
          || exchange.responseBytes() != NetemTraffic.responseLength(number)
          || exchange.headNs() > exchange.responseNs()
          || exchange.responseNs() > exchange.tailNs()) {
        wrong.add(number + " " + exchange);
      }
    }
    for (HttpExchange exchange : exchanges) {
      if (!expected.contains(Captures.head(exchange))) {
        wrong.add("not sent: " + exchange + " with head " + Captures.head(exchange));
      }
    }
    assertThat(wrong).as(where).isEmpty();
    assertThat(exchanges).hasSize(REQUESTS);
  }
}
