package io.headspan.loadgen.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.loadgen.tls.MadeAuthority.Pair;
import io.headspan.wire.tls.TlsException;
import io.headspan.wire.tls.TlsFiles;
import io.headspan.wire.tls.TlsMaterial;
import io.headspan.wire.tls.TlsPaths;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Reading PEM files, with certificates of an authority made on the spot.
class TlsFilesTest {
  @TempDir private static Path made;
  private static MadeAuthority authority;
  private static Pair first;
  private static Pair second;

  @TempDir private Path directory;
  private final List<TlsException> badChanges = new ArrayList<>();

  @BeforeAll
  static void makeCertificates() {
    authority = MadeAuthority.make(made);
    first = authority.issue("first");
    second = authority.issue("second");
  }

  @Test
  void readsCertificateKeyAndAuthority() {
    TlsMaterial material =
        open(authority.certificate(), first.certificate(), first.key()).current();
    assertThat(material.authorities()).hasSize(1);
    assertThat(material.chain().getFirst().getSubjectX500Principal().getName())
        .isEqualTo("CN=first");
    assertThat(material.key()).isPresent();
    assertThat(badChanges).isEmpty();
  }

  @Test
  void namesTheFileThatIsNotThere() {
    Path missing = directory.resolve("none.pem");
    assertThatThrownBy(() -> open(missing, null, null))
        .isInstanceOf(TlsException.class)
        .hasMessage("file cannot be read: file=" + missing + ", reason=it is not there");
  }

  @Test
  void refusesAFileOfAnotherKind() {
    assertThatThrownBy(() -> open(first.key(), null, null))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining(first.key().toString())
        .hasMessageContaining("-----BEGIN CERTIFICATE-----");
    assertThatThrownBy(() -> open(null, first.certificate(), first.certificate()))
        .isInstanceOf(TlsException.class)
        .hasMessageContaining("openssl pkcs8 -topk8 -nocrypt");
  }

  @Test
  void refusesTheKeyOfAnotherCertificate() {
    assertThatThrownBy(() -> open(null, first.certificate(), second.key()))
        .isInstanceOf(TlsException.class)
        .hasMessage(
            "key is not that of the certificate: certificate="
                + first.certificate()
                + ", key="
                + second.key());
  }

  @Test
  void readsFilesAgainThatChanged() throws IOException {
    Path certificate = directory.resolve("tls.crt");
    Path key = directory.resolve("tls.key");
    copy(first.certificate(), certificate);
    copy(first.key(), key);
    TlsFiles files = open(null, certificate, key);
    TlsMaterial before = files.current();
    assertThat(files.current()).isSameAs(before);

    // One file after the other, as everybody does: between them they do not fit.
    copy(second.certificate(), certificate);
    until(() -> {
      assertThat(files.current()).isSameAs(before);
      return !badChanges.isEmpty();
    });
    copy(second.key(), key);
    until(() -> files.current() != before);
    assertThat(files.current().chain().getFirst().getSubjectX500Principal().getName())
        .isEqualTo("CN=second");
  }

  private TlsFiles open(
      @Nullable Path authorities, @Nullable Path certificate, @Nullable Path key) {
    return TlsFiles.open(new TlsPaths(authorities, certificate, key), badChanges::add);
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("30 s have passed").isNegative();
      LockSupport.parkNanos(10_000_000);
    }
  }
}
