package io.headspan.agent.libbpf;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibbpfLibraryTest {
  @TempDir Path directory;

  @Test
  void saysWhereItLookedAndWhatToInstall() {
    assertThat(LibbpfLibrary.find("libbpf-none.so.1", List.of(directory)))
        .isInstanceOfSatisfying(
            LibbpfLibrary.Missing.class,
            missing ->
                assertThat(missing.reason())
                    .isEqualTo(
                        "libbpf could not be loaded: file=libbpf-none.so.1, directories=["
                            + directory
                            + "]; install it with \"apt-get install libbpf1\" (Debian, Ubuntu) or"
                            + " \"dnf install libbpf\" (Fedora, RHEL)"));
  }

  @Test
  void findsALibraryInTheDirectoryThatHasIt() {
    // Any shared library that the loader does not find by its name alone: one of this JDK's.
    Path jdk = Path.of(System.getProperty("java.home"), "lib");
    assertThat(LibbpfLibrary.find("libverify.so", List.of(directory, jdk)))
        .isInstanceOfSatisfying(
            LibbpfLibrary.Found.class,
            found -> assertThat(found.symbols().find("VerifyClassForMajorVersion")).isPresent());
  }
}
