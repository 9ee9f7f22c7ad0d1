package io.headspan.agent.identity;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;

/// The cgroup v2 hierarchy as files. A cgroup's id is the inode of its directory, its path begins
/// with "/" and is relative to the hierarchy's root.
final class CgroupTree {
  private static final String ROOT = "/";

  private final Path mount;

  /// @param mount where the hierarchy is mounted
  CgroupTree(Path mount) {
    this.mount = mount;
  }

  Path mount() {
    return mount;
  }

  /// The directory of the cgroup `path`.
  Path directory(String path) {
    return path.equals(ROOT) ? mount : mount.resolve(path.substring(1));
  }

  /// Id of the cgroup `path`; 0 if it is not there.
  long id(String path) {
    try {
      return inode(directory(path));
    } catch (IOException e) {
      return 0; // removed meanwhile
    }
  }

  /// All cgroups that are there now, by id.
  Map<Long, String> walk() throws IOException {
    Map<Long, String> paths = new HashMap<>();
    Files.walkFileTree(
        mount,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            paths.put(inode(directory), ROOT + mount.relativize(directory));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) {
            return FileVisitResult.CONTINUE; // removed meanwhile
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, IOException e) {
            return FileVisitResult.CONTINUE; // removed meanwhile, if there was an exception
          }
        });
    return paths;
  }

  private static long inode(Path directory) throws IOException {
    return ((Number) Files.getAttribute(directory, "unix:ino")).longValue();
  }
}
