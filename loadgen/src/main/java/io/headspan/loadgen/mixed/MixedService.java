package io.headspan.loadgen.mixed;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.linecorp.armeria.client.ClientFactory;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServiceRequestContext;
import com.linecorp.armeria.server.grpc.protocol.AbstractUnaryGrpcService;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/// A function that speaks HTTP/1.1, HTTP/2 and gRPC on one port and knows nothing of tracing: an
/// event loop that serves many requests at a time. Where a request asks for it, it calls the
/// service behind it first, in the protocol that the request names, and hands on the `traceparent`
/// it was given, unchanged.
///
/// Arguments: `--next HOST:PORT`. Listens on 127.0.0.1, prints `ready on PORT` when it does, and
/// ends when it is killed.
public final class MixedService {
  private final @Nullable Call next;

  private MixedService(@Nullable Call next) {
    this.next = next;
  }

  public static void main(String[] arguments) {
    String target = null;
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      if (arguments[i].equals("--next")) {
        target = arguments[i + 1];
      }
    }
    MixedService service =
        new MixedService(target == null ? null : new Call(ClientFactory.ofDefault(), target));
    Server server =
        Server.builder()
            .http(new InetSocketAddress("127.0.0.1", 0))
            .service(
                Call.PATH,
                (context, _) -> {
                  String protocol = context.queryParam("next");
                  return HttpResponse.of(
                      service
                          .run(context, protocol == null ? "" : protocol)
                          .thenApply(_ -> HttpResponse.of(MediaType.PLAIN_TEXT_UTF_8, "done\n")));
                })
            .service(
                Call.GRPC_METHOD,
                new AbstractUnaryGrpcService() {
                  @Override
                  protected CompletionStage<byte[]> handleMessage(
                      ServiceRequestContext context, byte[] message) {
                    return service
                        .run(context, new String(message, US_ASCII))
                        .thenApply(_ -> message);
                  }
                })
            .build();
    server.start().join();
    System.out.println("ready on " + server.activeLocalPort());
  }

  /// @param protocol in which to call on; empty if not at all
  private CompletableFuture<Void> run(ServiceRequestContext context, String protocol) {
    if (protocol.isEmpty()) {
      return CompletableFuture.completedFuture(null);
    }
    if (next == null) {
      return CompletableFuture.failedFuture(new IllegalStateException("nobody is behind: --next"));
    }
    String traceparent = context.request().headers().get(Call.TRACEPARENT, "");
    return next.send(Protocol.of(protocol), traceparent, "");
  }
}
