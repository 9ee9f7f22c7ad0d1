package io.headspan.agent.identity;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The cgroup v2 hierarchy as files. A cgroup's id is the inode of its directory, its path begins
/// with "/" and is relative to the hierarchy's root.
public final class CgroupTree {
  private static final String ROOT = "/";

  private final Path mount;

  /// @param mount where the hierarchy is mounted
  public CgroupTree(Path mount) {
    this.mount = mount;
  }

  /// Where the whole hierarchy is mounted: on its own or beside v1 controllers.
  ///
  /// @param mountInfo `/proc/self/mountinfo`
  public static Optional<Path> findMount(Path mountInfo) throws IOException {
    for (String line : Files.readAllLines(mountInfo, StandardCharsets.UTF_8)) {
      // proc(5): id, parent, device, root, mount point, options, tags …, "-", type, source, options
      String[] fields = line.split(" ", -1);
      for (int i = 6; i + 1 < fields.length; i++) {
        if (fields[i].equals("-")) {
          if (fields[i + 1].equals("cgroup2") && fields[3].equals(ROOT)) {
            return Optional.of(Path.of(unescape(fields[4])));
          }
          break;
        }
      }
    }
    return Optional.empty();
  }

  public Path mount() {
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

  /// Undoes the octal escapes of blanks and backslashes in mountinfo.
  private static String unescape(String text) {
    StringBuilder result = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\' && i + 3 < text.length()) {
        result.append((char) Integer.parseInt(text, i + 1, i + 4, 8));
        i += 3;
      } else {
        result.append(text.charAt(i));
      }
    }
    return result.toString();
  }
}
