package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// Where libchdb is on this machine.
final class LibChdbFile {
  /// Version of the npm package `@chdb/lib-linux-<arch>-gnu` that `./dev setup` fetches.
  static final String VERSION = "26.7.3-stable.1";

  private static final String OPTION = "HEADSPAN_LIBCHDB";

  private LibChdbFile() {}

  /// `$HEADSPAN_LIBCHDB`, else
  /// `${XDG_CACHE_HOME:-$HOME/.cache}/headspan/libchdb/VERSION/libchdb.so`.
  ///
  /// @throws StoreException if there is no file
  static Path locate(Map<String, String> environment) {
    String chosen = environment.getOrDefault(OPTION, "");
    Path file = chosen.isEmpty() ? cached(environment) : Path.of(chosen);
    if (!Files.isReadable(file)) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          "libchdb is not there: file="
              + file
              + "; run ./headspan or ./dev setup once to fetch it, or set "
              + OPTION
              + " to the file");
    }
    return file.toAbsolutePath();
  }

  private static Path cached(Map<String, String> environment) {
    String cache = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path base =
        cache.isEmpty()
            ? Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")), ".cache")
            : Path.of(cache);
    return base.resolve("headspan").resolve("libchdb").resolve(VERSION).resolve("libchdb.so");
  }
}
