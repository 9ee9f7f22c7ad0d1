package io.headspan.agent.identity;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What Docker keeps of its containers, `<root>/containers/<id>/config.v2.json` with name, image
/// and labels, and `hostconfig.json` with annotations (`docker run --annotation`). Files, so that
/// no access to Docker's socket is needed, which would be as good as root.
final class DockerFiles implements ContainerSource {
  private static final int FILE_BYTES_MAX = 4 << 20;

  private final ObjectMapper json = new ObjectMapper();
  private final Path containers;

  DockerFiles(Path root) {
    containers = root.resolve("containers");
  }

  @Override
  public Optional<ContainerFacts> find(String path, CgroupPath parsed) throws IOException {
    String id = parsed.containerId();
    if (id == null || !expects(parsed)) {
      return Optional.empty();
    }
    JsonNode config = read(containers.resolve(id).resolve("config.v2.json"));
    if (config == null || !config.path("ID").asText().equals(id)) {
      return Optional.empty();
    }
    JsonNode host = read(containers.resolve(id).resolve("hostconfig.json"));
    String name = config.path("Name").asText();
    String image = config.path("Config").path("Image").asText();
    return Optional.of(
        new ContainerFacts(
            id,
            name.startsWith("/") ? name.substring(1) : null,
            ContainerEngine.DOCKER,
            image.isEmpty() ? null : image,
            null,
            host == null ? Map.of() : texts(host.path("Annotations")),
            texts(config.path("Config").path("Labels"))));
  }

  /// A cgroup in a user's or service's own hands may bear any container's name.
  @Override
  public boolean expects(CgroupPath parsed) {
    boolean mayBeDocker =
        parsed.engine() == ContainerEngine.DOCKER
            || (parsed.isContainer() && parsed.engine() == null && parsed.podUid() == null);
    return mayBeDocker && !parsed.delegated() && Files.isDirectory(containers);
  }

  private static Map<String, String> texts(JsonNode object) {
    Map<String, String> texts = new HashMap<>();
    object.properties().forEach(entry -> texts.put(entry.getKey(), entry.getValue().asText()));
    return Map.copyOf(texts);
  }

  private @Nullable JsonNode read(Path file) throws IOException {
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new IOException("file is too large: file=" + file);
      }
      return json.readTree(Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      return null; // removed meanwhile, or another engine's
    } catch (JsonProcessingException e) {
      throw new IOException("file is not JSON: file=" + file, e);
    }
  }
}
