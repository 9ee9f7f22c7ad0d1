package io.headspan.agent.identity;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.headspan.wire.cri.Container;
import io.headspan.wire.cri.ContainerFilter;
import io.headspan.wire.cri.ListContainersRequest;
import io.headspan.wire.cri.ListPodSandboxRequest;
import io.headspan.wire.cri.PodSandbox;
import io.headspan.wire.cri.PodSandboxFilter;
import io.headspan.wire.cri.RuntimeServiceGrpc;
import io.headspan.wire.cri.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Asks the Kubernetes container runtime (containerd, CRI-O, cri-dockerd) over its socket: pod,
/// namespace, labels and annotations of a container. Only reads, by two list calls with the id as
/// filter.
///
/// A pod's uid is in the cgroup's path and in the answer; they must agree, so that nobody gets
/// another pod's identity by naming a cgroup after its container.
final class CriSocket implements ContainerSource {
  private static final long DEADLINE_MILLIS = 1_000;

  /// How long a runtime that did not answer is left alone.
  private static final long REST_NS = TimeUnit.SECONDS.toNanos(5);

  private static final int MESSAGE_BYTES_MAX = 4 << 20;

  private final Path socket;
  private @Nullable EventLoopGroup events;
  private @Nullable ManagedChannel channel;
  private long restUntilNs;
  private boolean resting;

  CriSocket(Path socket) {
    this.socket = socket;
  }

  @Override
  public Optional<ContainerFacts> find(String path, CgroupPath parsed) throws IOException {
    String id = parsed.containerId();
    String uid = parsed.podUid();
    if (id == null || uid == null || !expects(parsed)) {
      return Optional.empty();
    }
    try {
      return ask(id, uid);
    } catch (StatusRuntimeException e) {
      resting = true;
      restUntilNs = System.nanoTime() + REST_NS;
      throw new IOException(
          "container runtime does not answer: socket=" + socket + ", status=" + e.getStatus(), e);
    }
  }

  @Override
  public boolean expects(CgroupPath parsed) {
    if (resting && System.nanoTime() - restUntilNs < 0) {
      return false;
    }
    resting = false;
    return parsed.isContainer() && parsed.podUid() != null && Files.exists(socket);
  }

  private Optional<ContainerFacts> ask(String id, String uid) {
    List<Container> containers =
        stub()
            .listContainers(
                ListContainersRequest.newBuilder()
                    .setFilter(ContainerFilter.newBuilder().setId(id))
                    .build())
            .getContainersList();
    for (Container container : containers) {
      if (container.getId().equals(id)) {
        return pod(container.getPodSandboxId(), uid).map(pod -> facts(container, pod));
      }
    }
    // A pod's own sandbox has a cgroup, too; nothing of the tenant's runs in it.
    return pod(id, uid).map(pod -> facts(Container.newBuilder().setId(id).build(), pod));
  }

  private Optional<PodSandbox> pod(String sandboxId, String uid) {
    return stub()
        .listPodSandbox(
            ListPodSandboxRequest.newBuilder()
                .setFilter(PodSandboxFilter.newBuilder().setId(sandboxId))
                .build())
        .getItemsList()
        .stream()
        .filter(pod ->
            pod.getId().equals(sandboxId)
                && pod.getMetadata().getUid().replace('_', '-').equals(uid))
        .findFirst();
  }

  private static ContainerFacts facts(Container container, PodSandbox pod) {
    Map<String, String> labels = new HashMap<>(pod.getLabelsMap());
    labels.putAll(container.getLabelsMap());
    Map<String, String> annotations = new HashMap<>(pod.getAnnotationsMap());
    annotations.putAll(container.getAnnotationsMap());
    String named = container.getImage().getUserSpecifiedImage();
    String image = named.isEmpty() ? container.getImage().getImage() : named;
    return new ContainerFacts(
        container.getId(),
        emptyToNull(container.getMetadata().getName()),
        null,
        emptyToNull(image),
        new ContainerFacts.Pod(
            pod.getMetadata().getUid(),
            emptyToNull(pod.getMetadata().getNamespace()),
            emptyToNull(pod.getMetadata().getName())),
        Map.copyOf(annotations),
        Map.copyOf(labels));
  }

  private static @Nullable String emptyToNull(String text) {
    return text.isEmpty() ? null : text;
  }

  private RuntimeServiceBlockingStub stub() {
    ManagedChannel open = channel;
    if (open == null) {
      EventLoopGroup group =
          new MultiThreadIoEventLoopGroup(
              1, new DefaultThreadFactory("headspan-cri", true), NioIoHandler.newFactory());
      open =
          NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
              .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
              .eventLoopGroup(group)
              // containerd and CRI-O refuse the socket's path as an authority.
              .overrideAuthority("localhost")
              .usePlaintext()
              .maxInboundMessageSize(MESSAGE_BYTES_MAX)
              .build();
      events = group;
      channel = open;
    }
    return RuntimeServiceGrpc.newBlockingStub(open)
        .withDeadlineAfter(DEADLINE_MILLIS, TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    if (channel != null) {
      channel.shutdownNow();
    }
    if (events != null) {
      var _ = events.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }
  }
}
