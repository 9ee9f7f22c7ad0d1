package io.headspan.agent.invocation;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.wire.TraceContext;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/// Makes exchanges for tests. Instance `n` has cgroup `n` and listens on 10.0.0.n, port 80.
final class Exchanges {
  private Exchanges() {}

  static InetSocketAddress server(int instance) {
    return new InetSocketAddress(address(instance), 80);
  }

  static InetSocketAddress client(int instance, int port) {
    return new InetSocketAddress(address(instance), port);
  }

  /// An invocation of `instance` by the peer `caller`.
  static HttpExchange invocation(
      int instance,
      InetSocketAddress caller,
      int sequence,
      long headNs,
      long tailNs,
      boolean peerLocal) {
    return exchange(
        Role.SERVER, instance, server(instance), caller, sequence, headNs, tailNs, -1, peerLocal);
  }

  /// A call from `instance`, port `port`, to `callee`.
  static HttpExchange call(
      int instance, int port, int callee, int sequence, long headNs, long tailNs, int open) {
    return exchange(
        Role.CLIENT,
        instance,
        client(instance, port),
        server(callee),
        sequence,
        headNs,
        tailNs,
        open,
        false);
  }

  /// The same exchange as it was at `timeNs`, when it waited for its response.
  static HttpExchange stillOpen(HttpExchange exchange, long timeNs) {
    return new HttpExchange(
        exchange.role(),
        exchange.socketCookie(),
        exchange.cgroupId(),
        exchange.local(),
        exchange.remote(),
        exchange.headSequence(),
        exchange.headNs(),
        0,
        timeNs,
        exchange.requestHead(),
        true,
        0,
        0,
        End.OPEN,
        exchange.openAtHead(),
        exchange.peerLocal());
  }

  /// Each exchange has a connection of its own.
  static long cookie(Role role, int sequence) {
    return 2L * sequence + (role == Role.SERVER ? 1 : 2);
  }

  /// That the thread of an invocation made a call, which it had read `afterNs` behind its head.
  static CallOfThread ofThread(HttpExchange call, HttpExchange invocation, long afterNs) {
    return new CallOfThread(
        call.socketCookie(),
        call.headSequence(),
        invocation.socketCookie(),
        invocation.headNs() + afterNs);
  }

  static RequestHead head(@Nullable TraceContext context) {
    return new RequestHead(
        "GET", "/", 1, context == null ? CarriedContext.NONE : CarriedContext.VALID, context);
  }

  static RequestHead head(CarriedContext carried) {
    return new RequestHead("GET", "/", 1, carried, null);
  }

  static TraceContext context(long traceId, long spanId) {
    return new TraceContext(7, traceId, spanId, (byte) 1, "");
  }

  private static HttpExchange exchange(
      Role role,
      int instance,
      InetSocketAddress local,
      InetSocketAddress remote,
      int sequence,
      long headNs,
      long tailNs,
      int open,
      boolean peerLocal) {
    return new HttpExchange(
        role,
        cookie(role, sequence),
        instance,
        local,
        remote,
        sequence,
        headNs,
        tailNs,
        tailNs,
        new byte[0],
        true,
        200,
        0,
        End.RESPONSE,
        open,
        peerLocal);
  }

  private static InetAddress address(int instance) {
    try {
      return InetAddress.getByAddress(new byte[] {10, 0, (byte) (instance >> 8), (byte) instance});
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }
}
