package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Paths put together from pieces of real ones and noise: whatever comes, the parser ends, throws
/// nothing and says nothing that is not in the path. `-Dheadspan.fuzz.seconds` sets the time.
class CgroupPathFuzzTest {
  private static final List<String> PIECES =
      List.of(
          "/",
          "/docker/",
          "docker-",
          "/kubepods",
          ".slice",
          ".scope",
          ".service",
          "kubepods-burstable-pod",
          "pod",
          "burstable",
          "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
          "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9",
          "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8",
          "cri-containerd-",
          ":cri-containerd:",
          "crio-conmon-",
          "libpod-payload-",
          "runc-",
          "..",
          "user@1000.service",
          "-");

  @Test
  void neverInventsAnything() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long endNs =
        System.nanoTime() + Duration.ofSeconds(Long.getLong("headspan.fuzz.seconds", 1)).toNanos();
    int paths = 0;
    while (System.nanoTime() - endNs < 0) {
      String path = path(random);
      String about = "seed=" + seed + ", path=" + path;
      CgroupPath parsed = CgroupPath.parse(path);
      if (parsed.containerId() != null) {
        assertThat(path).as(about).contains(parsed.containerId());
      }
      if (parsed.podUid() != null) {
        assertThat(path.replace('_', '-')).as(about).contains(parsed.podUid());
        assertThat(parsed.quality()).as(about).isNotNull();
      }
      if (parsed.unit() != null) {
        assertThat(path).as(about).contains(parsed.unit());
      }
      assertThat(parsed.engine() == null || parsed.isContainer()).as(about).isTrue();
      paths++;
    }
    assertThat(paths).isPositive();
  }

  private static String path(Random random) {
    StringBuilder path = new StringBuilder("/");
    int pieces = random.nextInt(12);
    for (int i = 0; i < pieces; i++) {
      if (random.nextInt(4) == 0) {
        int noise = random.nextInt(6);
        for (int j = 0; j < noise; j++) {
          path.append((char) random.nextInt(1, random.nextBoolean() ? 128 : 0xd7ff));
        }
      } else {
        path.append(PIECES.get(random.nextInt(PIECES.size())));
      }
      if (random.nextInt(3) == 0) {
        path.append('/');
      }
    }
    return path.toString();
  }
}
