package io.headspan.agent.signal;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.headspan.agent.export.CollectorChannel;
import io.headspan.loadgen.tls.MadeAuthority;
import io.headspan.loadgen.tls.MadeAuthority.Pair;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Pressure.Stall;
import io.headspan.wire.signal.RegionAway;
import io.headspan.wire.signal.v1.NodeSignalsGrpc;
import io.headspan.wire.signal.v1.SignalReceipt;
import io.headspan.wire.signal.v1.SignalReport;
import io.headspan.wire.tls.TlsFiles;
import io.headspan.wire.tls.TlsPaths;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The sender of node signals against a real gRPC server, in clear text and with TLS.
class SignalSenderIT {
  private static final List<Long> FIRST = List.of(1L, 2L, 3L, 4L, 5L);

  @TempDir private Path directory;
  private final List<NodeReport> received = new ArrayList<>();
  private final AtomicLong asked = new AtomicLong();
  private LongFunction<Status> answer = _ -> Status.OK;
  private @Nullable Server server;
  private @Nullable SignalSender sender;
  private int port;

  @AfterEach
  void close() {
    if (sender != null) {
      sender.close();
    }
    stop();
  }

  @Test
  void tellsWhatTheSourcesSayAndSaysGoodbye() throws IOException {
    listen(null);
    SignalSender sending = start(null);
    until(() -> sending.sent() >= 5);
    sending.close(Duration.ofSeconds(10));
    List<NodeReport> all = received();
    assertThat(all).extracting(NodeReport::sequence).isSorted().doesNotHaveDuplicates();
    assertThat(all)
        .extracting(report -> ((NodeSignal.Pressure) report.signal()).stalls().getFirst().someNs())
        .containsExactlyElementsOf(all.stream().map(NodeReport::sequence).toList());
    assertThat(all)
        .allSatisfy(report -> {
          assertThat(report.agentId()).isEqualTo("agent-1");
          assertThat(report.bootId()).isEqualTo("boot-1");
          assertThat(report.hostName()).isEqualTo("node-1");
          assertThat(report.intervalNs()).isPositive();
        });
    assertThat(all.getLast().sequence()).as("the last word").isEqualTo(asked.get());
  }

  @Test
  void keepsReportsInOrderWhileTheCollectorIsAway() throws IOException {
    listen(null);
    SignalSender sending = start(null);
    until(() -> sending.sent() >= 2);
    stop();
    long before = asked.get();
    until(() -> asked.get() >= before + 5);
    listen(null);
    until(() -> sending.sent() >= before + 5);
    assertThat(received())
        .extracting(NodeReport::sequence)
        .startsWith(1L, 2L, 3L, 4L, 5L, 6L, 7L)
        .isSorted();
    assertThat(sending.dropped()).isZero();
  }

  @Test
  void givesUpWhatIsRefusedAndGoesOn() throws IOException {
    answer = sequence -> sequence == 2 ? Status.INVALID_ARGUMENT : Status.OK;
    listen(null);
    SignalSender sending = start(null);
    until(() -> sending.sent() >= 3);
    assertThat(received()).extracting(NodeReport::sequence).startsWith(1L, 3L, 4L);
    assertThat(sending.dropped()).isEqualTo(1);
  }

  @Test
  void aRegionThatIsAwayHoldsBackNoOtherReport() throws IOException {
    AtomicBoolean away = new AtomicBoolean(true);
    answer =
        sequence ->
            sequence % 2 == 1 && away.get()
                ? Status.UNAVAILABLE.withDescription(RegionAway.PREFIX + "region=us")
                : Status.OK;
    listen(null);
    SignalSender sending = start(null);
    until(() -> sending.sent() >= 5);
    assertThat(received())
        .extracting(NodeReport::sequence)
        .allMatch(sequence -> sequence % 2 == 0)
        .isSorted();
    away.set(false);
    until(() -> received().stream().map(NodeReport::sequence).toList().containsAll(FIRST));
    assertThat(received()).extracting(NodeReport::sequence).doesNotHaveDuplicates();
    assertThat(sending.dropped()).isZero();
  }

  @Test
  void showsItsCertificateAndChecksTheCollectors() throws IOException {
    MadeAuthority authority = MadeAuthority.make(directory.resolve("ours"));
    Pair collector = authority.issue("collector");
    Pair agent = authority.issue("agent");
    SslContext strict =
        GrpcSslContexts.configure(
                SslContextBuilder.forServer(
                        collector.certificate().toFile(), collector.key().toFile())
                    .trustManager(authority.certificate().toFile())
                    .clientAuth(ClientAuth.REQUIRE))
            .build();
    listen(strict);
    SignalSender sending =
        start(new TlsPaths(authority.certificate(), agent.certificate(), agent.key()));
    until(() -> sending.sent() >= 2);
    sending.close();

    long before = asked.get();
    SignalSender nameless = start(new TlsPaths(authority.certificate(), null, null));
    until(() -> asked.get() >= before + 5);
    assertThat(nameless.sent()).isZero();
    nameless.close();

    MadeAuthority other = MadeAuthority.make(directory.resolve("theirs"));
    SignalSender distrustful =
        start(new TlsPaths(other.certificate(), agent.certificate(), agent.key()));
    long later = asked.get();
    until(() -> asked.get() >= later + 5);
    assertThat(distrustful.sent()).isZero();
  }

  private SignalSender start(@Nullable TlsPaths paths) {
    TlsFiles tls =
        paths == null
            ? null
            : TlsFiles.open(
                paths,
                e -> {
                  throw e;
                });
    SignalSender started =
        SignalSender.start(
            CollectorChannel.open("127.0.0.1", port, tls),
            "agent-1",
            "boot-1",
            "node-1",
            Duration.ofMillis(50));
    started.add(this::count);
    started.add(Optional::empty);
    sender = started;
    return started;
  }

  private Optional<NodeSignal> count() {
    long number = asked.incrementAndGet();
    return Optional.of(new NodeSignal.Pressure(List.of(new Stall("cpu", number, 0))));
  }

  private void listen(@Nullable SslContext tls) throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .addService(new Service());
    if (tls != null) {
      builder = builder.sslContext(tls);
    }
    Server started = builder.build().start();
    server = started;
    port = started.getPort();
  }

  private void stop() {
    if (server != null) {
      server.shutdownNow();
      try {
        assertThat(server.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      server = null;
    }
  }

  private List<NodeReport> received() {
    synchronized (received) {
      return List.copyOf(received);
    }
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("60 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }

  private final class Service extends NodeSignalsGrpc.NodeSignalsImplBase {
    @Override
    public void report(SignalReport message, StreamObserver<SignalReceipt> receipts) {
      NodeReport report = NodeReport.decode(message, 1 << 20);
      Status status = answer.apply(report.sequence());
      if (!status.isOk()) {
        receipts.onError(status.asException());
        return;
      }
      synchronized (received) {
        received.add(report);
      }
      receipts.onNext(SignalReceipt.getDefaultInstance());
      receipts.onCompleted();
    }
  }
}
