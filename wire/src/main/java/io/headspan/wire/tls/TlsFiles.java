package io.headspan.wire.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Certificates and a key in PEM files, read again when one of them has changed, so that
/// short-lived certificates are renewed without a restart. A change that cannot be used is
/// reported, and what was read before stays. Thread-safe.
public final class TlsFiles {
  private static final long CHECK_EVERY_NS = TimeUnit.SECONDS.toNanos(1);
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----([^-]*)-----END \\1-----");
  private static final byte[] PROBE = "headspan".getBytes(StandardCharsets.US_ASCII);

  private final TlsPaths paths;
  private final Consumer<TlsException> onBadChange;
  private TlsMaterial material;
  private List<Stamp> stamps;
  private long checkedNs = System.nanoTime();

  /// What tells that a file has changed.
  private record Stamp(FileTime modified, long sizeBytes, @Nullable Object key) {}

  /// Reads the files.
  ///
  /// @param onBadChange is told when a changed file cannot be used
  /// @throws TlsException if one of them is missing or is not what it should be
  public static TlsFiles open(TlsPaths paths, Consumer<TlsException> onBadChange) {
    return new TlsFiles(paths, onBadChange);
  }

  private TlsFiles(TlsPaths paths, Consumer<TlsException> onBadChange) {
    this.paths = paths;
    this.onBadChange = onBadChange;
    stamps = stamps();
    material = read();
  }

  /// What the files hold now, not older than a second.
  public synchronized TlsMaterial current() {
    long nowNs = System.nanoTime();
    if (nowNs - checkedNs >= CHECK_EVERY_NS) {
      checkedNs = nowNs;
      try {
        List<Stamp> now = stamps();
        if (!now.equals(stamps)) {
          // Certificate and key are two files: between their changes they do not fit, so a failure
          // is tried again.
          material = read();
          stamps = now;
        }
      } catch (TlsException e) {
        onBadChange.accept(e);
      }
    }
    return material;
  }

  private List<Stamp> stamps() {
    List<Stamp> all = new ArrayList<>();
    for (@Nullable Path path : new Path[] {paths.authorities(), paths.certificate(), paths.key()}) {
      if (path != null) {
        all.add(stamp(path));
      }
    }
    return all;
  }

  private static Stamp stamp(Path path) {
    try {
      var attributes = Files.readAttributes(path, BasicFileAttributes.class);
      return new Stamp(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  private TlsMaterial read() {
    Path authorities = paths.authorities();
    Path certificate = paths.certificate();
    Path keyFile = paths.key();
    if ((certificate == null) != (keyFile == null)) {
      throw new TlsException(
          "a certificate needs its key and a key its certificate: certificate="
              + certificate
              + ", key="
              + keyFile
              + "; name both or none");
    }
    List<X509Certificate> chain = certificate == null ? List.of() : certificates(certificate);
    PrivateKey key = null;
    if (certificate != null && keyFile != null) {
      key = key(keyFile, chain.getFirst().getPublicKey());
      checkFit(certificate, chain.getFirst().getPublicKey(), keyFile, key);
    }
    return new TlsMaterial(authorities == null ? List.of() : certificates(authorities), chain, key);
  }

  private static List<X509Certificate> certificates(Path file) {
    byte[] content = content(file);
    List<X509Certificate> certificates = new ArrayList<>();
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      for (Certificate each : factory.generateCertificates(new ByteArrayInputStream(content))) {
        certificates.add((X509Certificate) each);
      }
    } catch (CertificateException e) {
      throw new TlsException(
          "file does not hold certificates: file="
              + file
              + ", reason="
              + e.getMessage()
              + "; give it PEM, beginning with -----BEGIN CERTIFICATE-----",
          e);
    }
    if (certificates.isEmpty()) {
      throw new TlsException(
          "file holds no certificate: file="
              + file
              + "; give it PEM, beginning with -----BEGIN CERTIFICATE-----");
    }
    return certificates;
  }

  private static PrivateKey key(Path file, PublicKey of) {
    Matcher pem = KEY.matcher(new String(content(file), StandardCharsets.ISO_8859_1));
    if (!pem.find() || !pem.group(1).equals("PRIVATE KEY")) {
      throw new TlsException(
          "file holds no key that can be read: file="
              + file
              + "; give it PKCS#8 in PEM without a password, beginning with"
              + " -----BEGIN PRIVATE KEY----- (openssl pkcs8 -topk8 -nocrypt makes it of others)");
    }
    try {
      byte[] encoded = Base64.getMimeDecoder().decode(pem.group(2));
      return KeyFactory.getInstance(of.getAlgorithm())
          .generatePrivate(new PKCS8EncodedKeySpec(encoded));
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw new TlsException(
          "key cannot be read as one of its certificate's kind: file="
              + file
              + ", kind="
              + of.getAlgorithm()
              + ", reason="
              + e.getMessage(),
          e);
    }
  }

  private static void checkFit(Path certificate, PublicKey of, Path keyFile, PrivateKey key) {
    String algorithm =
        switch (of.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> of.getAlgorithm();
        };
    boolean fits;
    try {
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(PROBE);
      byte[] signed = signature.sign();
      signature.initVerify(of);
      signature.update(PROBE);
      fits = signature.verify(signed);
    } catch (GeneralSecurityException e) {
      throw new TlsException(
          "key cannot be used: file=" + keyFile + ", reason=" + e.getMessage(), e);
    }
    if (!fits) {
      throw new TlsException(
          "key is not that of the certificate: certificate=" + certificate + ", key=" + keyFile);
    }
  }

  private static byte[] content(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static TlsException unreadable(Path file, IOException cause) {
    return new TlsException(
        "file cannot be read: file="
            + file
            + ", reason="
            + (cause instanceof NoSuchFileException ? "it is not there" : cause.toString()),
        cause);
  }
}
