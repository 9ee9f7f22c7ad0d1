package io.headspan.agent.identity;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Finds the container of a cgroup by the state that its OCI runtime keeps, whatever engine called
/// it. runc: `<root>/<id>/state.json` names the container's cgroup, its annotations and its bundle
/// (runc 1.1: `libcontainer.State`, with the annotations among `config.labels`). crun:
/// `<root>/<id>/status` names the cgroup and the bundle (crun 1: `libcrun_write_container_status`),
/// the annotations are in the `config.json` beside it or in the bundle. Both write it before the
/// container's process starts.
///
/// A cgroup's name only suggests where to look. What counts is that the state names exactly this
/// cgroup, or one above it: a container cannot borrow an identity by making a cgroup of another
/// container's name below its own.
final class OciStates implements ContainerSource {
  private static final String RUNC_STATE = "state.json";
  private static final String CRUN_STATE = "status";
  private static final String V1_MOUNTS = "/sys/fs/cgroup/";
  private static final String SCOPE_SUFFIX = ".scope";
  private static final int FILE_BYTES_MAX = 4 << 20;
  private static final int SCAN_MAX = 10_000;

  /// What runc accepts as an id (libcontainer `validateID`).
  private static final Pattern ID = Pattern.compile("[\\w+\\-.]+");

  private final ObjectMapper json = new ObjectMapper();
  private final List<String> stateRoots;
  private final CgroupTree cgroups;

  /// @param stateRoots directories that hold a directory per container; `*` stands for any name of
  ///   one path element
  OciStates(List<String> stateRoots, CgroupTree cgroups) {
    this.stateRoots = stateRoots;
    this.cgroups = cgroups;
  }

  /// The container that runs in the cgroup `path`, or in one above it. Empty if there is none, or
  /// its state is not written yet.
  ///
  /// @throws IOException if a state is there and cannot be read
  @Override
  public Optional<ContainerFacts> find(String path, CgroupPath parsed) throws IOException {
    if (path.equals("/")) {
      return Optional.empty();
    }
    List<Path> roots = roots();
    for (String at = path; at.length() > 1; at = parent(at)) {
      for (String id : candidateIds(at)) {
        for (Path root : roots) {
          Optional<ContainerFacts> container = read(root.resolve(id), id, at);
          if (container.isPresent()) {
            return container;
          }
        }
      }
    }
    return scan(roots, path);
  }

  /// The container that the cgroup is named after; without a look at those that are not.
  @Override
  public Optional<ContainerFacts> glance(String path) throws IOException {
    if (path.equals("/")) {
      return Optional.empty();
    }
    List<Path> roots = roots();
    for (String id : candidateIds(path)) {
      for (Path root : roots) {
        Optional<ContainerFacts> container = read(root.resolve(id), id, path);
        if (container.isPresent()) {
          return container;
        }
      }
    }
    return Optional.empty();
  }

  /// Any cgroup may turn out to be a container's: its name need not tell.
  @Override
  public boolean expects(CgroupPath parsed) {
    try {
      return !roots().isEmpty();
    } catch (IOException e) {
      return true; // they are there, and find() tells what is wrong
    }
  }

  /// Ids that the last element of a cgroup's path may stand for: itself (cgroupfs driver), or what
  /// follows a dash of a systemd scope, whose prefix may hold dashes too.
  static List<String> candidateIds(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    List<String> ids = new ArrayList<>();
    if (name.endsWith(SCOPE_SUFFIX)) {
      String stem = name.substring(0, name.length() - SCOPE_SUFFIX.length());
      for (int dash = stem.indexOf('-'); dash >= 0; dash = stem.indexOf('-', dash + 1)) {
        addId(ids, stem.substring(dash + 1));
      }
      addId(ids, stem);
    }
    addId(ids, name);
    return ids;
  }

  private static void addId(List<String> ids, String id) {
    if (ID.matcher(id).matches() && !id.equals(".") && !id.equals("..")) {
      ids.add(id);
    }
  }

  /// Containers may be given any cgroup path: looks through all of them.
  private Optional<ContainerFacts> scan(List<Path> roots, String path) throws IOException {
    int seen = 0;
    for (Path root : roots) {
      try (DirectoryStream<Path> directories = Files.newDirectoryStream(root)) {
        for (Path directory : directories) {
          if (++seen > SCAN_MAX) {
            return Optional.empty();
          }
          String id = directory.getFileName().toString();
          for (String at = path; at.length() > 1; at = parent(at)) {
            Optional<ContainerFacts> container = read(directory, id, at);
            if (container.isPresent()) {
              return container;
            }
          }
        }
      }
    }
    return Optional.empty();
  }

  private Optional<ContainerFacts> read(Path directory, String id, String cgroupPath)
      throws IOException {
    JsonNode state = readJson(directory.resolve(RUNC_STATE));
    if (state != null) {
      return readRunc(state, id, cgroupPath);
    }
    JsonNode status = readJson(directory.resolve(CRUN_STATE));
    return status == null ? Optional.empty() : readCrun(status, directory, id, cgroupPath);
  }

  private Optional<ContainerFacts> readRunc(JsonNode state, String id, String cgroupPath)
      throws IOException {
    if (!state.path("id").asText().equals(id)
        || !isCgroup(state.path("cgroup_paths"), cgroupPath)) {
      return Optional.empty();
    }
    Map<String, String> labels = new HashMap<>();
    for (JsonNode label : state.path("config").path("labels")) {
      String text = label.asText();
      int equals = text.indexOf('=');
      if (equals > 0) {
        labels.put(text.substring(0, equals), text.substring(equals + 1));
      }
    }
    String bundle = labels.get("bundle");
    if (!Annotations.speakOf(labels) && bundle != null) {
      labels.putAll(annotations(Path.of(bundle)));
    }
    return Optional.of(facts(id, labels));
  }

  private Optional<ContainerFacts> readCrun(
      JsonNode status, Path directory, String id, String cgroupPath) throws IOException {
    String named = status.path("cgroup-path").asText();
    if (named.isEmpty() || !cgroupPath.equals(named.startsWith("/") ? named : "/" + named)) {
      return Optional.empty();
    }
    Map<String, String> annotations = new HashMap<>(annotations(directory));
    String bundle = status.path("bundle").asText();
    if (annotations.isEmpty() && bundle.startsWith("/")) {
      annotations.putAll(annotations(Path.of(bundle)));
    }
    return Optional.of(facts(id, annotations));
  }

  private static ContainerFacts facts(String id, Map<String, String> annotations) {
    return new ContainerFacts(
        id,
        null,
        null,
        Annotations.of(annotations).image(),
        null,
        Map.copyOf(annotations),
        Map.of());
  }

  /// Whether `paths`, cgroup directories by controller, names the cgroup `cgroupPath`: in the v2
  /// hierarchy, whose key is "", or in one of version 1 below its controller's mount.
  private boolean isCgroup(JsonNode paths, String cgroupPath) {
    Path unified = cgroups.directory(cgroupPath);
    for (Map.Entry<String, JsonNode> each : paths.properties()) {
      String directory = each.getValue().asText();
      boolean matches =
          each.getKey().isEmpty()
              ? !directory.isEmpty() && Path.of(directory).equals(unified)
              : isBelowController(directory, cgroupPath);
      if (matches) {
        return true;
      }
    }
    return false;
  }

  private static boolean isBelowController(String directory, String cgroupPath) {
    int mountEnd = directory.length() - cgroupPath.length();
    return mountEnd > V1_MOUNTS.length()
        && directory.startsWith(V1_MOUNTS)
        && directory.endsWith(cgroupPath)
        && directory.indexOf('/', V1_MOUNTS.length()) == mountEnd;
  }

  /// Annotations of the OCI configuration in a directory; none if it has none.
  private Map<String, String> annotations(Path directory) throws IOException {
    Map<String, String> annotations = new HashMap<>();
    JsonNode config = readJson(directory.resolve("config.json"));
    if (config != null) {
      config
          .path("annotations")
          .properties()
          .forEach(entry -> annotations.put(entry.getKey(), entry.getValue().asText()));
    }
    return annotations;
  }

  /// Null if there is no such file.
  private @Nullable JsonNode readJson(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      return null;
    }
    if (Files.size(file) > FILE_BYTES_MAX) {
      throw new IOException("file is too large: file=" + file + ", sizeBytes=" + Files.size(file));
    }
    try {
      return json.readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new IOException("file is not JSON: file=" + file, e);
    }
  }

  /// The state roots that are there, `*` filled in.
  private List<Path> roots() throws IOException {
    List<Path> roots = new ArrayList<>();
    for (String pattern : stateRoots) {
      expand(Path.of("/"), Path.of(pattern), 0, roots);
    }
    return roots;
  }

  private static void expand(Path base, Path pattern, int element, List<Path> into)
      throws IOException {
    if (element == pattern.getNameCount()) {
      if (Files.isDirectory(base)) {
        into.add(base);
      }
      return;
    }
    String name = pattern.getName(element).toString();
    if (!name.equals("*")) {
      expand(base.resolve(name), pattern, element + 1, into);
    } else if (Files.isDirectory(base)) {
      try (DirectoryStream<Path> directories = Files.newDirectoryStream(base)) {
        for (Path directory : directories) {
          expand(directory, pattern, element + 1, into);
        }
      }
    }
  }

  private static String parent(String path) {
    int slash = path.lastIndexOf('/');
    return slash == 0 ? "/" : path.substring(0, slash);
  }
}
