package io.headspan.agent.identity;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What the path of a cgroup says about who is in it, by the layouts that container engines,
/// Kubernetes and systemd document and use. The path alone proves nothing about a tenant: it only
/// tells what to ask for, and where nothing answers, which instance it is.
///
/// Read from the root on, the first container wins: whoever may make cgroups below its own can name
/// them as it likes, but not those above.
///
/// | Engine | Last elements, `ID` being 64 hexadecimal digits |
/// |---|---|
/// | Docker | `docker/ID`, `system.slice/docker-ID.scope`, any parent given by `--cgroup-parent` |
/// | containerd, nerdctl | `cri-containerd-ID.scope`, `nerdctl-ID.scope`, `namespace/ID` |
/// | CRI-O | `crio-ID`, `crio-ID.scope`; `crio-conmon-ID` is a monitor, no container |
/// | podman | `libpod-ID`, `libpod-ID.scope`, `libpod-payload-ID`; `libpod-conmon-ID` is a monitor |
/// | runc, crun, youki | `runc-NAME.scope`, `crun-NAME.scope`, `youki-NAME.scope` |
/// | a runtime without the systemd driver under a kubelet with it | `SLICE:cri-containerd:ID` |
///
/// Kubernetes pods are `kubepods/[burstable|besteffort/]podUID` and
/// `kubepods[-burstable|-besteffort]-podUID.slice` with `_` for `-`, possibly with what the kubelet
/// was given as `--cgroup-root` in front.
///
/// @param engine what runs the container, null where the layout does not tell
/// @param containerId null if it is no container's
/// @param podUid uid of the Kubernetes pod
/// @param quality class of the pod, null outside of pods
/// @param unit innermost systemd unit, without a container's own scope
/// @param delegated the container's cgroup is in one that systemd gave to a user or service, who
///   may name cgroups there
record CgroupPath(
    @Nullable ContainerEngine engine,
    @Nullable String containerId,
    @Nullable String podUid,
    @Nullable PodQuality quality,
    @Nullable String unit,
    boolean delegated) {
  /// Kubernetes' quality of service classes.
  enum PodQuality {
    GUARANTEED,
    BURSTABLE,
    BEST_EFFORT
  }

  private static final int LENGTH_MAX = 4096;
  private static final String HEX_ID = "[0-9a-f]{64}";

  /// A uid of the API server, or of a static pod the hash of its manifest.
  private static final String UID =
      "(?<uid>[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})";

  private static final Pattern POD = Pattern.compile("pod" + UID);
  private static final Pattern POD_SLICE =
      Pattern.compile(
          "(?:.*-)?kubepods(?:-(?<quality>burstable|besteffort))?-pod" + UID + "\\.slice");
  private static final Pattern COLONS =
      Pattern.compile("(?<slice>[^:]+\\.slice):(?<prefix>[a-z-]+):(?<id>" + HEX_ID + ")");
  private static final Pattern PREFIXED =
      Pattern.compile(
          "(?<prefix>docker|cri-containerd|crio|libpod|libpod-payload|nerdctl)-(?<id>"
              + HEX_ID
              + ")(?:\\.scope)?");
  private static final Pattern NAMED =
      Pattern.compile("(?<prefix>runc|crun|youki)-(?<id>[\\w+\\-.]{1,255})\\.scope");
  private static final Pattern PLAIN = Pattern.compile(HEX_ID);
  private static final Pattern MONITOR =
      Pattern.compile("(?:crio|libpod)-conmon-" + HEX_ID + "(?:\\.scope)?");

  /// Nothing known.
  static final CgroupPath UNKNOWN = new CgroupPath(null, null, null, null, null, false);

  boolean isContainer() {
    return containerId != null;
  }

  /// Reads a path as it is in the hierarchy's own terms, or as `/proc/<pid>/cgroup` has it.
  static CgroupPath parse(String path) {
    return path.length() > LENGTH_MAX ? UNKNOWN : new Reader().read(path);
  }

  private static final class Reader {
    private @Nullable ContainerEngine engine;
    private @Nullable String containerId;
    private @Nullable String podUid;
    private @Nullable PodQuality quality;
    private @Nullable String unit;
    private boolean delegated;

    /// The element before is of Kubernetes' own tree (cgroupfs driver).
    private boolean inKubepods;

    private String parent = "";

    CgroupPath read(String path) {
      for (String element : path.split("/", -1)) {
        if (element.isEmpty() || element.equals("..")) {
          continue; // seen from a cgroup namespace further down
        }
        if (MONITOR.matcher(element).matches() || readContainer(element)) {
          break;
        }
        readPod(element);
        if (element.endsWith(".service")) {
          unit = element;
          delegated = true;
        } else if (element.endsWith(".scope")) {
          unit = element;
        }
        parent = element;
      }
      return new CgroupPath(engine, containerId, podUid, quality, unit, delegated);
    }

    private boolean readContainer(String element) {
      Matcher colons = COLONS.matcher(element);
      if (colons.matches()) {
        readPod(colons.group("slice"));
        delegated = false; // the engine's own service made it
        return container(engineOf(colons.group("prefix")), colons.group("id"));
      }
      Matcher prefixed = PREFIXED.matcher(element);
      if (prefixed.matches()) {
        return container(engineOf(prefixed.group("prefix")), prefixed.group("id"));
      }
      Matcher named = NAMED.matcher(element);
      if (named.matches()) {
        return container(engineOf(named.group("prefix")), named.group("id"));
      }
      if (PLAIN.matcher(element).matches()) {
        return container(parent.equals("docker") ? ContainerEngine.DOCKER : null, element);
      }
      return false;
    }

    private boolean container(@Nullable ContainerEngine by, String id) {
      engine = by;
      containerId = id;
      return true;
    }

    private void readPod(String element) {
      if (podUid != null) {
        return;
      }
      Matcher slice = POD_SLICE.matcher(element);
      Matcher plain = POD.matcher(element);
      if (slice.matches()) {
        quality = quality(slice.group("quality"));
        podUid = uid(slice.group("uid"));
      } else if (element.equals("kubepods")) {
        inKubepods = true;
        quality = PodQuality.GUARANTEED;
      } else if (inKubepods && (element.equals("burstable") || element.equals("besteffort"))) {
        quality = quality(element);
      } else if (inKubepods && plain.matches()) {
        podUid = uid(plain.group("uid"));
      } else if (inKubepods) {
        inKubepods = false;
        quality = null;
      }
    }

    private static String uid(String text) {
      return text.replace('_', '-').toLowerCase(Locale.ROOT);
    }

    private static PodQuality quality(@Nullable String text) {
      return switch (text) {
        case "burstable" -> PodQuality.BURSTABLE;
        case "besteffort" -> PodQuality.BEST_EFFORT;
        case null, default -> PodQuality.GUARANTEED;
      };
    }

    private static ContainerEngine engineOf(String prefix) {
      return switch (prefix) {
        case "docker" -> ContainerEngine.DOCKER;
        case "crio" -> ContainerEngine.CRIO;
        case "libpod", "libpod-payload" -> ContainerEngine.PODMAN;
        case "runc" -> ContainerEngine.RUNC;
        case "crun" -> ContainerEngine.CRUN;
        case "youki" -> ContainerEngine.YOUKI;
        default -> ContainerEngine.CONTAINERD;
      };
    }
  }
}
