package io.headspan.agent.invocation;

import io.headspan.agent.probe.http.HttpExchange;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// One request on one connection, the same from both of its ends: addresses, ports and the TCP
/// sequence number of the request's first byte. Connections of different network namespaces can
/// have the same addresses and ports; that they agree in the sequence number at the same time too
/// is a chance of 2^-32.
///
/// @param addresses the caller's and the callee's IPv4 address, or 32-bit hashes of their IPv6 ones
/// @param request ports and sequence number
record ConnectionKey(long addresses, long request) {
  static ConnectionKey of(HttpExchange exchange) {
    return switch (exchange.role()) {
      case CLIENT -> of(exchange.local(), exchange.remote(), exchange.headSequence());
      case SERVER -> of(exchange.remote(), exchange.local(), exchange.headSequence());
    };
  }

  private static ConnectionKey of(
      InetSocketAddress client, InetSocketAddress server, int headSequence) {
    return new ConnectionKey(
        pair(client.getAddress(), server.getAddress()),
        ((long) client.getPort() << 48)
            | ((long) server.getPort() << 32)
            | Integer.toUnsignedLong(headSequence));
  }

  private static long pair(InetAddress client, InetAddress server) {
    // The hash code of an IPv4 address is the address.
    return ((long) client.hashCode() << 32) | Integer.toUnsignedLong(server.hashCode());
  }
}
