package io.headspan.agent.identity;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a container's OCI annotations say about whose it is.
record Annotations(
    @Nullable String tenant,
    @Nullable String team,
    @Nullable String function,
    @Nullable String version,
    @Nullable String image) {
  static final String TENANT = "io.headspan.tenant";
  static final String TEAM = "io.headspan.team";
  static final String FUNCTION = "io.headspan.function";
  static final String VERSION = "io.headspan.version";

  private static final int LENGTH_MAX = 256;

  static Annotations of(Map<String, String> annotations) {
    String image = value(annotations, "io.kubernetes.cri.image-name");
    return new Annotations(
        value(annotations, TENANT),
        value(annotations, TEAM),
        value(annotations, FUNCTION),
        value(annotations, VERSION),
        image != null ? image : value(annotations, "org.opencontainers.image.ref.name"));
  }

  /// Whether anything of ours is among the annotations.
  static boolean speakOf(Map<String, String> annotations) {
    return annotations.containsKey(TENANT)
        || annotations.containsKey(TEAM)
        || annotations.containsKey(FUNCTION)
        || annotations.containsKey(VERSION);
  }

  private static @Nullable String value(Map<String, String> annotations, String key) {
    String value = annotations.get(key);
    if (value == null || value.isBlank()) {
      return null;
    }
    return cut(value);
  }

  /// As much of a value as is kept.
  static String cut(String value) {
    return value.length() > LENGTH_MAX ? value.substring(0, LENGTH_MAX) : value;
  }
}
