package io.headspan.agent.identity;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/// Asks the kubelet for the pods of this node, `GET /pods`: on its authenticated port with a bearer
/// token, or on its read-only port without. All pods come at once, so it is asked when a pod is met
/// that the answer before did not have, and not more than once a second.
final class KubeletPods implements ContainerSource {
  private static final Duration TIMEOUT = Duration.ofSeconds(2);
  private static final int ANSWER_BYTES_MAX = 32 << 20;
  private static final long ASK_EVERY_NS = TimeUnit.SECONDS.toNanos(1);
  private static final long REST_NS = TimeUnit.SECONDS.toNanos(5);

  /// A static pod's uid is that of its mirror, its cgroup has the manifest's hash.
  private static final String MANIFEST_HASH = "kubernetes.io/config.hash";

  private final ObjectMapper json = new ObjectMapper();
  private final URI pods;
  private final @Nullable Path tokenFile;
  private final HttpClient client;
  private Map<String, JsonNode> podsByUid = Map.of();
  private long mayAskNs = System.nanoTime();

  /// @throws IOException if the certificates cannot be read
  KubeletPods(URI kubelet, @Nullable Path tokenFile, @Nullable Path caFile) throws IOException {
    this.tokenFile = tokenFile;
    pods = kubelet.resolve("/pods");
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(TIMEOUT);
    client = (caFile == null ? builder : builder.sslContext(trusting(caFile))).build();
  }

  @Override
  public Optional<ContainerFacts> find(String path, CgroupPath parsed) throws IOException {
    String uid = parsed.podUid();
    String id = parsed.containerId();
    if (uid == null || id == null) {
      return Optional.empty();
    }
    JsonNode pod = podsByUid.get(uid);
    if ((pod == null || containerStatus(pod, id) == null) && System.nanoTime() - mayAskNs >= 0) {
      podsByUid = ask();
      pod = podsByUid.get(uid);
    }
    return pod == null ? Optional.empty() : Optional.of(facts(pod, uid, id));
  }

  @Override
  public boolean expects(CgroupPath parsed) {
    return parsed.isContainer() && parsed.podUid() != null;
  }

  private Map<String, JsonNode> ask() throws IOException {
    mayAskNs = System.nanoTime() + REST_NS;
    HttpRequest.Builder request = HttpRequest.newBuilder(pods).timeout(TIMEOUT);
    if (tokenFile != null) {
      // Read each time: tokens of service accounts are renewed.
      request.header("Authorization", "Bearer " + Files.readString(tokenFile).strip());
    }
    JsonNode answer;
    try {
      HttpResponse<InputStream> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
      try (InputStream body = response.body()) {
        if (response.statusCode() != 200) {
          throw new IOException(
              "kubelet refused: url=" + pods + ", status=" + response.statusCode());
        }
        answer = json.readTree(body.readNBytes(ANSWER_BYTES_MAX));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while asking the kubelet: url=" + pods, e);
    }
    Map<String, JsonNode> read = new HashMap<>();
    for (JsonNode pod : answer.path("items")) {
      JsonNode metadata = pod.path("metadata");
      read.put(metadata.path("uid").asText(), pod);
      String hash = metadata.path("annotations").path(MANIFEST_HASH).asText();
      if (!hash.isEmpty()) {
        read.put(hash, pod);
      }
    }
    mayAskNs = System.nanoTime() + ASK_EVERY_NS;
    return read;
  }

  private static @Nullable JsonNode containerStatus(JsonNode pod, String containerId) {
    JsonNode status = pod.path("status");
    for (String kind : new String[] {"containerStatuses", "initContainerStatuses"}) {
      for (JsonNode container : status.path(kind)) {
        // <engine>://<id>
        if (container.path("containerID").asText().endsWith("/" + containerId)) {
          return container;
        }
      }
    }
    return null;
  }

  private static ContainerFacts facts(JsonNode pod, String uid, String containerId) {
    JsonNode metadata = pod.path("metadata");
    JsonNode container = containerStatus(pod, containerId);
    return new ContainerFacts(
        containerId,
        container == null ? null : container.path("name").asText(null),
        null,
        container == null ? null : container.path("image").asText(null),
        new ContainerFacts.Pod(
            uid, metadata.path("namespace").asText(null), metadata.path("name").asText(null)),
        texts(metadata.path("annotations")),
        texts(metadata.path("labels")));
  }

  private static Map<String, String> texts(JsonNode object) {
    Map<String, String> texts = new HashMap<>();
    object.properties().forEach(entry -> texts.put(entry.getKey(), entry.getValue().asText()));
    return Map.copyOf(texts);
  }

  private static SSLContext trusting(Path caFile) throws IOException {
    try (InputStream pem = Files.newInputStream(caFile)) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      int count = 0;
      for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        trusted.setCertificateEntry("ca-" + count++, each);
      }
      TrustManagerFactory managers =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, managers.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("certificates cannot be used: file=" + caFile, e);
    }
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
