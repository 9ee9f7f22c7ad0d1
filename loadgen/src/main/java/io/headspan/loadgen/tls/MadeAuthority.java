package io.headspan.loadgen.tls;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/// A certificate authority that lives in a directory, and certificates of it for servers and
/// clients on this machine: made by the JDK's keytool, kept as PEM files.
public final class MadeAuthority {
  private static final String PASSWORD = "changeit";
  private static final String AUTHORITY = "authority";

  private final Path directory;
  private final Path certificate;

  /// A certificate with its key, both PEM, the key PKCS#8.
  public record Pair(Path certificate, Path key) {}

  /// Makes an authority.
  ///
  /// @param directory where its files go; made if it is not there
  public static MadeAuthority make(Path directory) {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new MadeAuthority(directory);
  }

  private MadeAuthority(Path directory) {
    this.directory = directory;
    generate(AUTHORITY, List.of("-ext", "bc:critical=ca:true"));
    certificate = directory.resolve("authority.pem");
    keytool(AUTHORITY, "-exportcert", "-rfc", "-alias", AUTHORITY, "-file", certificate.toString());
  }

  /// The authority's own certificate, PEM.
  public Path certificate() {
    return certificate;
  }

  /// Makes a certificate for `localhost` and `127.0.0.1`, good for servers and clients.
  ///
  /// @param name of its subject and its files
  public Pair issue(String name) {
    return issue(name, "dns:localhost,ip:127.0.0.1");
  }

  /// Makes a certificate for other names.
  ///
  /// @param name of its subject and its files
  /// @param alternatives its other names, as keytool takes them: `dns:a,uri:spiffe://b/c`
  public Pair issue(String name, String alternatives) {
    String extensions = "san=" + alternatives;
    generate(name, List.of("-ext", extensions));
    Path request = directory.resolve(name + ".csr");
    Path issued = directory.resolve(name + ".pem");
    keytool(name, "-certreq", "-alias", name, "-file", request.toString());
    keytool(
        AUTHORITY,
        "-gencert",
        "-rfc",
        "-alias",
        AUTHORITY,
        "-infile",
        request.toString(),
        "-outfile",
        issued.toString(),
        "-ext",
        extensions);
    Path key = directory.resolve(name + ".key");
    try {
      Files.writeString(key, pem(key(name)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return new Pair(issued, key);
  }

  private void generate(String name, List<String> more) {
    try {
      Files.deleteIfExists(store(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "-genkeypair",
                "-alias",
                name,
                "-keyalg",
                "EC",
                "-dname",
                "CN=" + name,
                "-validity",
                "30"));
    arguments.addAll(more);
    keytool(name, arguments.toArray(String[]::new));
  }

  private Path store(String name) {
    return directory.resolve(name + ".p12");
  }

  private void keytool(String storeOf, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    // It runs for a moment only.
    command.addAll(List.of("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"));
    command.addAll(List.of(arguments));
    command.addAll(List.of("-keystore", store(storeOf).toString(), "-storepass", PASSWORD));
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output;
      try (InputStream out = process.getInputStream()) {
        output = new String(out.readAllBytes(), StandardCharsets.UTF_8);
      }
      int status = process.waitFor();
      if (status != 0) {
        throw new IllegalStateException(
            "keytool failed: arguments=" + command + ", status=" + status + ", output=" + output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while keytool ran", e);
    }
  }

  private Key key(String name) throws IOException {
    try (InputStream in = Files.newInputStream(store(name))) {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(in, PASSWORD.toCharArray());
      return store.getKey(name, PASSWORD.toCharArray());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the key that keytool made cannot be read", e);
    }
  }

  private static String pem(Key key) {
    byte[] newline = {'\n'};
    return "-----BEGIN PRIVATE KEY-----\n"
        + Base64.getMimeEncoder(64, newline).encodeToString(key.getEncoded())
        + "\n-----END PRIVATE KEY-----\n";
  }
}
