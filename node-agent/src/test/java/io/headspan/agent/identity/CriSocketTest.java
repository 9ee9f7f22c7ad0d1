package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.headspan.wire.cri.Container;
import io.headspan.wire.cri.ContainerMetadata;
import io.headspan.wire.cri.ImageSpec;
import io.headspan.wire.cri.ListContainersRequest;
import io.headspan.wire.cri.ListContainersResponse;
import io.headspan.wire.cri.ListPodSandboxRequest;
import io.headspan.wire.cri.ListPodSandboxResponse;
import io.headspan.wire.cri.PodSandbox;
import io.headspan.wire.cri.PodSandboxMetadata;
import io.headspan.wire.cri.RuntimeServiceGrpc;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against a server that speaks the runtime's protocol on a Unix socket.
class CriSocketTest {
  private static final String ID = "0123456789abcdef".repeat(4);
  private static final String UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  private static final String PATH =
      "/kubepods.slice/kubepods-pod"
          + UID.replace('-', '_')
          + ".slice/cri-containerd-"
          + ID
          + ".scope";

  @TempDir private Path directory;
  private final OnePodRuntime runtime = new OnePodRuntime();
  private final EventLoopGroup events =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private Server server;
  private CriSocket source;

  @BeforeEach
  void serve() throws IOException {
    Path socket = directory.resolve("cri.sock");
    server =
        NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
            .channelType(NioServerDomainSocketChannel.class)
            .bossEventLoopGroup(events)
            .workerEventLoopGroup(events)
            .addService(runtime)
            .build()
            .start();
    source = new CriSocket(socket);
  }

  @AfterEach
  void close() throws InterruptedException {
    source.close();
    assertThat(server.shutdownNow().awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    var _ = events.shutdownGracefully(0, 0, TimeUnit.SECONDS);
  }

  @Test
  void tellsPodLabelsAndAnnotations() throws IOException {
    ContainerFacts facts = find(PATH).orElseThrow();
    assertThat(facts.id()).isEqualTo(ID);
    assertThat(facts.name()).isEqualTo("web");
    assertThat(facts.image()).isEqualTo("registry.example/shop/web:7");
    assertThat(facts.pod()).isEqualTo(new ContainerFacts.Pod(UID, "shop", "web-1"));
    assertThat(facts.labels())
        .containsEntry("app", "web")
        .containsEntry("io.kubernetes.container.name", "web");
    assertThat(facts.annotations())
        .containsEntry("io.headspan.tenant", "acme")
        .containsEntry("io.kubernetes.container.hash", "1");
  }

  /// A cgroup that bears another container's id is in another pod.
  @Test
  void doesNotTellOfAPodThatTheCgroupIsNotIn() throws IOException {
    String other = PATH.replace("0a1b2c3d", "11111111");
    assertThat(find(other)).isEmpty();
    assertThat(find(PATH.replace(ID, "f".repeat(64)))).isEmpty();
    assertThat(find("/docker/" + ID)).as("in no pod").isEmpty();
  }

  @Test
  void leavesARuntimeAloneThatFails() throws IOException {
    runtime.fails = true;
    assertThatThrownBy(() -> find(PATH))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("container runtime does not answer: socket=")
        .hasMessageContaining("UNAVAILABLE");
    int calls = runtime.calls.get();
    assertThat(find(PATH)).isEmpty();
    assertThat(source.expects(CgroupPath.parse(PATH))).isFalse();
    assertThat(runtime.calls).hasValue(calls);
  }

  @Test
  void asksNoSocketThatIsNotThere() throws IOException {
    try (CriSocket absent = new CriSocket(directory.resolve("absent.sock"))) {
      assertThat(absent.expects(CgroupPath.parse(PATH))).isFalse();
      assertThat(absent.find(PATH, CgroupPath.parse(PATH))).isEmpty();
    }
  }

  private Optional<ContainerFacts> find(String path) throws IOException {
    return source.find(path, CgroupPath.parse(path));
  }

  /// One pod with one container; answers with what the filter asks for, as runtimes do.
  private static final class OnePodRuntime extends RuntimeServiceGrpc.RuntimeServiceImplBase {
    private static final PodSandbox POD =
        PodSandbox.newBuilder()
            .setId("sandbox")
            .setMetadata(
                PodSandboxMetadata.newBuilder().setName("web-1").setNamespace("shop").setUid(UID))
            .putLabels("app", "web")
            .putAnnotations("io.headspan.tenant", "acme")
            .build();
    private static final Container CONTAINER =
        Container.newBuilder()
            .setId(ID)
            .setPodSandboxId("sandbox")
            .setMetadata(ContainerMetadata.newBuilder().setName("web"))
            .setImage(
                ImageSpec.newBuilder()
                    .setImage("sha256:" + ID)
                    .setUserSpecifiedImage("registry.example/shop/web:7"))
            .putLabels("io.kubernetes.container.name", "web")
            .putAnnotations("io.kubernetes.container.hash", "1")
            .build();

    final AtomicInteger calls = new AtomicInteger();
    volatile boolean fails;

    @Override
    public void listContainers(
        ListContainersRequest request, StreamObserver<ListContainersResponse> answers) {
      calls.incrementAndGet();
      if (fails) {
        answers.onError(Status.UNAVAILABLE.asRuntimeException());
        return;
      }
      List<Container> found =
          request.getFilter().getId().equals(ID) ? List.of(CONTAINER) : List.of();
      answers.onNext(ListContainersResponse.newBuilder().addAllContainers(found).build());
      answers.onCompleted();
    }

    @Override
    public void listPodSandbox(
        ListPodSandboxRequest request, StreamObserver<ListPodSandboxResponse> answers) {
      calls.incrementAndGet();
      List<PodSandbox> found =
          request.getFilter().getId().equals("sandbox") ? List.of(POD) : List.of();
      answers.onNext(ListPodSandboxResponse.newBuilder().addAllItems(found).build());
      answers.onCompleted();
    }
  }
}
