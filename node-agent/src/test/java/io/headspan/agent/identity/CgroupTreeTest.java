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
