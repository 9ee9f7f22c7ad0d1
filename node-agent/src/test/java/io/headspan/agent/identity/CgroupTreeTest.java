package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupTreeTest {
  @TempDir Path directory;

  @Test
  void findsTheMountBesideV1Controllers() throws IOException {
    Path mountInfo = directory.resolve("mountinfo");
    Files.writeString(
        mountInfo,
        """
        25 30 0:23 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
        26 25 0:24 / /sys/fs/cgroup/cpu rw shared:1 - cgroup cgroup rw,cpu
        27 25 0:25 /some/where /not\\040all rw shared:2 master:1 - cgroup2 cgroup2 rw
        28 25 0:25 / /sys/fs/cgroup/uni\\040fied rw shared:2 master:1 - cgroup2 cgroup2 rw
        """);
    assertThat(CgroupTree.findMount(mountInfo)).contains(Path.of("/sys/fs/cgroup/uni fied"));
  }

  @Test
  void findsNoMountWhereThereIsNone() throws IOException {
    Path mountInfo = directory.resolve("mountinfo");
    Files.writeString(mountInfo, "25 30 0:23 / /cgroup2 rw - tmpfs cgroup2 rw\n");
    assertThat(CgroupTree.findMount(mountInfo)).isEmpty();
  }

  @Test
  void listsAllCgroupsByTheInodeOfTheirDirectory() throws IOException {
    Path inner = Files.createDirectories(directory.resolve("a.slice/b.scope"));
    CgroupTree tree = new CgroupTree(directory);
    Map<Long, String> paths = tree.walk();
    assertThat(paths.values()).containsExactlyInAnyOrder("/", "/a.slice", "/a.slice/b.scope");
    long id = ((Number) Files.getAttribute(inner, "unix:ino")).longValue();
    assertThat(paths).containsEntry(id, "/a.slice/b.scope");
    assertThat(tree.id("/a.slice/b.scope")).isEqualTo(id);
    assertThat(tree.id("/gone")).isZero();
  }
}
