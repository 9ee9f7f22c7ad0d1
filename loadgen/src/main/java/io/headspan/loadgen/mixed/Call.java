package io.headspan.loadgen.mixed;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.linecorp.armeria.client.ClientFactory;
import com.linecorp.armeria.client.Clients;
import com.linecorp.armeria.client.WebClient;
import com.linecorp.armeria.client.grpc.protocol.UnaryGrpcClient;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.util.SafeCloseable;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/// Calls of a [MixedService] by one client.
final class Call {
  static final String TRACEPARENT = "traceparent";
  static final String GRPC_METHOD = "/headspan.Mixed/Run";
  static final String PATH = "/run";

  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final Map<Protocol, WebClient> clients = new EnumMap<>(Protocol.class);
  private final UnaryGrpcClient grpc;

  /// @param target `host:port` of the service
  Call(ClientFactory factory, String target) {
    for (Protocol protocol : Protocol.values()) {
      clients.put(
          protocol,
          WebClient.builder(protocol.scheme() + "://" + target)
              .factory(factory)
              .responseTimeout(TIMEOUT)
              .build());
    }
    grpc =
        Clients.builder("gproto+" + Protocol.GRPC.scheme() + "://" + target)
            .factory(factory)
            .responseTimeout(TIMEOUT)
            .build(UnaryGrpcClient.class);
  }

  /// Sends a request; fails if it is not answered with success.
  ///
  /// @param next how the service calls the one behind it first; empty if it does not
  CompletableFuture<Void> send(Protocol protocol, String traceparent, String next) {
    if (protocol == Protocol.GRPC) {
      try (SafeCloseable _ = Clients.withHeader(TRACEPARENT, traceparent)) {
        return grpc.execute(GRPC_METHOD, next.getBytes(US_ASCII)).thenAccept(_ -> {});
      }
    }
    RequestHeaders headers =
        RequestHeaders.of(
            HttpMethod.GET,
            PATH + (next.isEmpty() ? "" : "?next=" + next),
            TRACEPARENT,
            traceparent);
    return client(protocol)
        .execute(headers)
        .aggregate()
        .thenCompose(response ->
            response.status().equals(HttpStatus.OK)
                ? CompletableFuture.completedFuture(null)
                : CompletableFuture.failedFuture(
                    new IOException("call failed: status=" + response.status())));
  }

  private WebClient client(Protocol protocol) {
    WebClient client = clients.get(protocol);
    if (client == null) {
      throw new IllegalStateException("no client: protocol=" + protocol);
    }
    return client;
  }
}
