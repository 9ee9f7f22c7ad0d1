package io.headspan.agent.libbpf;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// Finds libbpf 1.x: by its name through the dynamic linker, then in the directories that
/// distributions use.
sealed interface LibbpfLibrary {
  String FILE_NAME = "libbpf.so.1";

  String NATIVE_ACCESS_DENIED =
      "libbpf may not be called: native access is denied to the agent; start java with"
          + " --enable-native-access=ALL-UNNAMED";

  String REMEDY =
      "; install it with \"apt-get install libbpf1\" (Debian, Ubuntu) or \"dnf install libbpf\""
          + " (Fedora, RHEL)";

  List<Path> DIRECTORIES =
      List.of(
          Path.of("/usr/lib/" + multiarch()),
          Path.of("/lib/" + multiarch()),
          Path.of("/usr/lib64"),
          Path.of("/lib64"),
          Path.of("/usr/lib"),
          Path.of("/usr/local/lib64"),
          Path.of("/usr/local/lib"));

  /// The library's symbols.
  record Found(SymbolLookup symbols) implements LibbpfLibrary {}

  /// Why there is none, and the remedy.
  record Missing(String reason) implements LibbpfLibrary {}

  static LibbpfLibrary find(String fileName, List<Path> directories) {
    List<String> files =
        directories.stream()
            .map(directory -> directory.resolve(fileName))
            .filter(Files::isReadable)
            .map(Path::toString)
            .toList();
    for (String candidate : Stream.concat(Stream.of(fileName), files.stream()).toList()) {
      try {
        return new Found(lookup(candidate));
      } catch (IllegalArgumentException _) {
        // Not there, or not loadable (another architecture, libelf missing): try the next.
      } catch (IllegalCallerException _) {
        return new Missing(NATIVE_ACCESS_DENIED);
      }
    }
    return new Missing(
        "libbpf could not be loaded: file=%s, directories=%s%s%s"
            .formatted(
                fileName, directories, files.isEmpty() ? "" : ", unusable=" + files, REMEDY));
  }

  // Symbols stay bound for the life of the process, as the handles made from them do.
  @SuppressWarnings("restricted")
  private static SymbolLookup lookup(String candidate) {
    return candidate.startsWith("/")
        ? SymbolLookup.libraryLookup(Path.of(candidate), Arena.global())
        : SymbolLookup.libraryLookup(candidate, Arena.global());
  }

  private static String multiarch() {
    return switch (System.getProperty("os.arch")) {
      case "aarch64" -> "aarch64-linux-gnu";
      default -> "x86_64-linux-gnu";
    };
  }
}
