package io.headspan.agent.life;

import io.headspan.agent.probe.http.HttpExchange;
import java.net.InetSocketAddress;

/// Exchanges of which only beginning and end matter.
final class Exchanges {
  private static final InetSocketAddress LOCAL = new InetSocketAddress("10.0.0.1", 80);
  private static final InetSocketAddress REMOTE = new InetSocketAddress("10.0.0.9", 8080);

  private Exchanges() {}

  static HttpExchange exchange(
      HttpExchange.Role role, long cookie, long cgroupId, long responseNs, HttpExchange.End end) {
    return new HttpExchange(
        role,
        cookie,
        cgroupId,
        LOCAL,
        REMOTE,
        1,
        1_000,
        responseNs,
        Math.max(2_000, responseNs),
        new byte[0],
        true,
        responseNs == 0 ? 0 : 200,
        0,
        end,
        -1,
        false);
  }
}
