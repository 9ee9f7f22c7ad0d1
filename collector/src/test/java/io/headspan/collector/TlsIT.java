package io.headspan.collector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.loadgen.tls.MadeAuthority;
import io.headspan.loadgen.tls.MadeAuthority.Pair;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.v1.NodeSignalsGrpc;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.X509Certificate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The collector's listener with real TLS. There is no store behind it: a call that gets through is
/// answered UNAVAILABLE with the store's name.
class TlsIT {
  @TempDir private static Path made;
  private static MadeAuthority authority;
  private static Pair server;
  private static Pair client;
  private static Pair stranger;

  @TempDir private Path directory;
  private @Nullable Collector collector;
  private @Nullable ManagedChannel channel;

  @BeforeAll
  static void makeCertificates() {
    authority = MadeAuthority.make(made.resolve("ours"));
    server = authority.issue("server");
    client = authority.issue("client");
    stranger = MadeAuthority.make(made.resolve("theirs")).issue("stranger");
  }

  @AfterEach
  void close() {
    disconnect();
    if (collector != null) {
      collector.close();
    }
  }

  @Test
  void speaksTls() throws IOException {
    start(Map.of());
    assertGetsThrough(null);
  }

  @Test
  void refusesClearText() {
    start(Map.of());
    ManagedChannel plain =
        NettyChannelBuilder.forAddress("127.0.0.1", port()).usePlaintext().build();
    channel = plain;
    assertThatThrownBy(() -> report(plain))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getStatus().getDescription()).doesNotContain("store"));
  }

  @Test
  void takesOnlyClientsOfItsAuthority() throws IOException {
    start(Map.of("HEADSPAN_COLLECTOR_TLS_CLIENT_CA", authority.certificate().toString()));
    assertGetsThrough(client);
    assertRefused(null);
    assertRefused(stranger);
  }

  @Test
  void showsARenewedCertificateWithoutARestart() throws Exception {
    Path certificate = directory.resolve("tls.crt");
    Path key = directory.resolve("tls.key");
    copy(server.certificate(), certificate);
    copy(server.key(), key);
    start(
        Map.of(
            "HEADSPAN_COLLECTOR_TLS_CERTIFICATE", certificate.toString(),
            "HEADSPAN_COLLECTOR_TLS_KEY", key.toString()));
    assertThat(subjectShown()).isEqualTo("CN=server");
    copy(client.certificate(), certificate);
    copy(client.key(), key);
    Await.until(
        "the other certificate",
        () -> {
          try {
            return subjectShown().equals("CN=client");
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
  }

  @Test
  void saysWhichFileIsWrong() {
    Path missing = directory.resolve("none.pem");
    assertThatThrownBy(
            () -> start(Map.of("HEADSPAN_COLLECTOR_TLS_CERTIFICATE", missing.toString())))
        .isInstanceOfSatisfying(
            CollectorException.class,
            e -> assertThat(e.kind()).isEqualTo(CollectorException.Kind.CONFIGURATION))
        .hasMessageContaining("file=" + missing)
        .hasMessageContaining("HEADSPAN_COLLECTOR_TLS_CERTIFICATE");
  }

  private void start(Map<String, String> more) {
    Map<String, String> settings = new HashMap<>();
    settings.put("HEADSPAN_COLLECTOR_LISTEN", "127.0.0.1:0");
    settings.put("HEADSPAN_COLLECTOR_STORE", "http://127.0.0.1:9");
    settings.put("HEADSPAN_COLLECTOR_TLS_CERTIFICATE", server.certificate().toString());
    settings.put("HEADSPAN_COLLECTOR_TLS_KEY", server.key().toString());
    settings.putAll(more);
    collector = Collector.start(CollectorConfig.from(settings));
  }

  private int port() {
    return Objects.requireNonNull(collector).port();
  }

  private void assertGetsThrough(@Nullable Pair with) throws IOException {
    assertThatThrownBy(() -> report(connect(with)))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
              assertThat(e.getStatus().getDescription()).contains("store");
            });
    disconnect();
  }

  private void assertRefused(@Nullable Pair with) throws IOException {
    assertThatThrownBy(() -> report(connect(with)))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e ->
                assertThat(String.valueOf(e.getStatus().getDescription())).doesNotContain("store"));
    disconnect();
  }

  private ManagedChannel connect(@Nullable Pair with) throws IOException {
    SslContextBuilder context =
        SslContextBuilder.forClient().trustManager(authority.certificate().toFile());
    if (with != null) {
      context = context.keyManager(with.certificate().toFile(), with.key().toFile());
    }
    ManagedChannel connected =
        NettyChannelBuilder.forAddress("127.0.0.1", port())
            .sslContext(GrpcSslContexts.configure(context).build())
            .build();
    channel = connected;
    return connected;
  }

  private void disconnect() {
    if (channel != null) {
      channel.shutdownNow();
      channel = null;
    }
  }

  private static void report(ManagedChannel to) {
    NodeReport report =
        new NodeReport("agent", "boot", 1, "node", 1, 1, new NodeSignal.Ledger(List.of()));
    var _ =
        NodeSignalsGrpc.newBlockingStub(to)
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .report(report.encode());
  }

  private String subjectShown() throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, new TrustManager[] {new TrustsAll()}, null);
    try (SSLSocket socket =
        (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port())) {
      socket.startHandshake();
      return ((X509Certificate) socket.getSession().getPeerCertificates()[0])
          .getSubjectX500Principal()
          .getName();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
  }

  /// Looks, and does not judge.
  private static final class TrustsAll extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
