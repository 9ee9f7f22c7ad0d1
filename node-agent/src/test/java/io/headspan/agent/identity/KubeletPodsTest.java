package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.Server;
import io.headspan.wire.http.AcceptLoop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Against a server that answers `/pods` as a kubelet does.
class KubeletPodsTest {
  private static final String ID = "0123456789abcdef".repeat(4);
  private static final String UID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  private static final String HASH = "0123456789abcdef0123456789abcdef";
  private static final String PODS =
      """
      {"kind": "PodList", "items": [
        {"metadata": {"name": "web-1", "namespace": "shop", "uid": "%s",
          "labels": {"app": "web"}, "annotations": {"io.headspan.tenant": "acme"}},
         "status": {"containerStatuses": [
          {"name": "web", "image": "shop/web:7", "containerID": "containerd://%s"}]}},
        {"metadata": {"name": "etcd", "namespace": "kube-system", "uid": "other",
          "annotations": {"kubernetes.io/config.hash": "%s"}}, "status": {}}]}
      """
          .formatted(UID, ID, HASH);

  @TempDir private Path directory;
  private final AtomicInteger asked = new AtomicInteger();
  private Server server;

  @BeforeEach
  void serve() {
    server =
        Server.builder()
            .bossGroupFactory(AcceptLoop::start)
            .http(new InetSocketAddress("127.0.0.1", 0))
            .gracefulShutdownTimeoutMillis(0, 0)
            .service(
                "/pods",
                (_, request) -> {
                  asked.incrementAndGet();
                  String token = request.headers().get("authorization");
                  return token == null || token.equals("Bearer secret")
                      ? HttpResponse.of(MediaType.JSON, PODS)
                      : HttpResponse.of(HttpStatus.UNAUTHORIZED);
                })
            .build();
    server.start().join();
  }

  @AfterEach
  void close() {
    server.stop().join();
  }

  @Test
  void tellsPodLabelsAndAnnotations() throws IOException {
    try (KubeletPods kubelet = kubelet("secret\n")) {
      String path = "/kubepods/burstable/pod" + UID + "/" + ID;
      ContainerFacts facts = kubelet.find(path, CgroupPath.parse(path)).orElseThrow();
      assertThat(facts.name()).isEqualTo("web");
      assertThat(facts.image()).isEqualTo("shop/web:7");
      assertThat(facts.pod()).isEqualTo(new ContainerFacts.Pod(UID, "shop", "web-1"));
      assertThat(facts.labels()).containsEntry("app", "web");
      assertThat(facts.annotations()).containsEntry("io.headspan.tenant", "acme");
      assertThat(kubelet.find(path, CgroupPath.parse(path))).isPresent();
      assertThat(asked).as("known pods are not asked for again").hasValue(1);
    }
  }

  @Test
  void knowsStaticPodsByTheirManifests() throws IOException {
    try (KubeletPods kubelet = kubelet(null)) {
      String path = "/kubepods/burstable/pod" + HASH + "/" + ID;
      ContainerFacts facts = kubelet.find(path, CgroupPath.parse(path)).orElseThrow();
      ContainerFacts.Pod pod = facts.pod();
      assertThat(pod).isEqualTo(new ContainerFacts.Pod(HASH, "kube-system", "etcd"));
      assertThat(facts.name()).as("not started yet").isNull();
    }
  }

  @Test
  void saysThatItIsRefusedAndDoesNotInsist() throws IOException {
    try (KubeletPods kubelet = kubelet("wrong")) {
      String path = "/kubepods/pod" + UID + "/" + ID;
      assertThatThrownBy(() -> kubelet.find(path, CgroupPath.parse(path)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("kubelet refused: url=http://127.0.0.1:")
          .hasMessageEndingWith("status=401");
      assertThat(kubelet.find(path, CgroupPath.parse(path))).isEmpty();
      assertThat(asked).hasValue(1);
    }
  }

  @Test
  void asksOnlyForPods() throws IOException {
    try (KubeletPods kubelet = kubelet(null)) {
      String path = "/docker/" + ID;
      assertThat(kubelet.find(path, CgroupPath.parse(path))).isEmpty();
      assertThat(asked).hasValue(0);
    }
  }

  @Test
  void saysWhichCertificatesCannotBeUsed() throws IOException {
    Path file = Files.writeString(directory.resolve("ca.pem"), "no certificate");
    assertThatThrownBy(() -> new KubeletPods(URI.create("https://127.0.0.1:1"), null, file))
        .isInstanceOf(IOException.class)
        .hasMessage("certificates cannot be used: file=" + file);
  }

  private KubeletPods kubelet(@Nullable String token) throws IOException {
    Path file = token == null ? null : Files.writeString(directory.resolve("token"), token);
    return new KubeletPods(URI.create("http://127.0.0.1:" + server.activeLocalPort()), file, null);
  }
}
