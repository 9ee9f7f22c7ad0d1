package io.headspan.agent.probe.http;

import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.http.HttpExchange.End;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;

/// gRPC.
@Tag("privileged")
class Http2ProbeNetemBpfIT extends NetemContract {
  Http2ProbeNetemBpfIT() {
    super(Http2NetemTraffic.class, 8);
  }

  @Override
  void assertAllRight(String where, List<HttpExchange> exchanges) {
    Map<String, List<HttpExchange>> byParent =
        exchanges.stream().collect(groupingBy(Http2ProbeNetemBpfIT::traceparent));
    List<String> wrong = new ArrayList<>();
    for (int number = 0; number < REQUESTS; number++) {
      List<HttpExchange> found =
          byParent.getOrDefault(Http2NetemTraffic.traceparent(number), List.of());
      if (found.size() != 1) {
        wrong.add(number + " captured " + found.size() + " times");
        continue;
      }
      HttpExchange exchange = found.getFirst();
      if (exchange.status() != 200
          || exchange.grpcStatus() != 0
          || exchange.end() != End.RESPONSE
          || exchange.headNs() > exchange.responseNs()
          || exchange.responseNs() > exchange.tailNs()) {
        wrong.add(number + " " + exchange);
      }
    }
    assertThat(wrong).as(where).isEmpty();
    assertThat(exchanges).as(where).hasSize(REQUESTS);
  }

  private static String traceparent(HttpExchange exchange) {
    String head = Captures.head(exchange);
    int from = head.indexOf("traceparent: ") + "traceparent: ".length();
    return head.substring(from, head.indexOf("\r\n", from));
  }
}
