package io.headspan.wire.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokensTest {
  @TempDir private Path directory;

  private Tokens read(String text) throws IOException {
    return Tokens.read(
        Files.writeString(directory.resolve("tokens.yaml"), text), IllegalArgumentException::new);
  }

  @Test
  void findsATokenByItsHash() throws IOException {
    Tokens tokens =
        read(
            """
            pseudonym_key: a secret of the platform
            tokens:
              - {name: oncall, role: operator, sha256: %s}
              - {name: shop, role: tenant, tenants: "acme, bravo", regions: eu, requests_per_second: 2, sha256: %s}
            """
                .formatted(Tokens.hash("first"), Tokens.hash("second")));
    Token first = tokens.find("first").orElseThrow();
    assertThat(first.name()).isEqualTo("oncall");
    assertThat(first.role()).isEqualTo(Role.OPERATOR);
    assertThat(first.tenants()).isEmpty();
    Token second = tokens.find("second").orElseThrow();
    assertThat(second.tenants()).containsExactly("acme", "bravo");
    assertThat(second.isGoodIn("eu")).isTrue();
    assertThat(second.isGoodIn("us")).isFalse();
    assertThat(second.requestsPerSecond()).isEqualTo(2);
    assertThat(tokens.find("third")).isEmpty();
    assertThat(tokens.find(Tokens.hash("first"))).isEmpty();
  }

  @Test
  void namesEveryProblemAtOnce() {
    assertThatThrownBy(() ->
            read(
                """
                tokens:
                  - {role: operator, sha256: %1$s}
                  - {name: a, role: king, sha256: %1$s}
                  - {name: b, role: tenant, sha256: %1$s}
                  - {name: c, role: operator, sha256: secret}
                  - {name: d, role: operator, sha256: %1$s, requests_per_second: 0}
                  - {name: e, role: tenant, tenants: acme, sha256: %1$s}
                  - {name: f, role: operator, sha256: %1$s, tenant: acme}
                """
                    .formatted(Tokens.hash("x"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("token without a name")
        .hasMessageContaining("role is none of operator, tenant, agent and sender")
        .hasMessageContaining("token of a tenant without tenants")
        .hasMessageContaining("sha256 is not 64 hex digits")
        .hasMessageContaining("requests_per_second is no number above 0")
        .hasMessageContaining("token given twice")
        .hasMessageContaining("tokens.tenant")
        .hasMessageContaining("tokens of tenants need a secret of 16 characters");
  }

  @Test
  void findsACertificateByItsNames() throws IOException {
    Tokens tokens =
        read(
            """
            tokens:
              - {name: nodes, role: agent, certificate: "*.nodes.example.com"}
              - {name: shop, role: sender, tenants: acme, certificate: "spiffe://example.com/fn/*"}
              - {name: prometheus, role: operator, certificate: prometheus}
            """);
    assertThat(named(tokens, "a.nodes.example.com")).isEqualTo("nodes");
    assertThat(named(tokens, "localhost", "spiffe://example.com/fn/shop")).isEqualTo("shop");
    assertThat(named(tokens, "prometheus")).isEqualTo("prometheus");
    assertThat(named(tokens, "a.b.nodes.example.com")).isEmpty();
    assertThat(named(tokens, "nodes.example.com")).isEmpty();
    assertThat(named(tokens, "a.nodesXexample.com")).isEmpty();
    assertThat(named(tokens, "spiffe://example.com/fn/shop/extra")).isEmpty();
    assertThat(named(tokens)).isEmpty();
    assertThat(tokens.pseudonymKey()).isEmpty();
  }

  @Test
  void aFileThatIsBeingWrittenIsNoFileOfTokens() {
    assertThatThrownBy(() -> read("")).hasMessageContaining("without tokens nobody is let in");
    assertThatThrownBy(() -> read("pseudonym_key: a secret of the platform"))
        .hasMessageContaining("without tokens nobody is let in");
  }

  @Test
  void doesNotTellAKeyThatIsTooShort() {
    assertThatThrownBy(() ->
            read(
                """
                pseudonym_key: hunter2
                tokens:
                  - {name: a, role: tenant, tenants: acme, sha256: %s}
                """
                    .formatted(Tokens.hash("x"))))
        .hasMessageContaining("pseudonym_key, at=")
        .hasMessageNotContaining("hunter2");
  }

  @Test
  void aSenderNeedsTenantsAndOneWayToBeKnown() {
    assertThatThrownBy(() ->
            read(
                """
                tokens:
                  - {name: a, role: sender, sha256: %1$s}
                  - {name: b, role: agent, sha256: %1$s, certificate: b}
                  - {name: c, role: agent}
                  - {name: d, role: tenant, tenants: acme, certificate: d}
                """
                    .formatted(Tokens.hash("x"))))
        .hasMessageContaining("token of a sender without tenants")
        .hasMessageContaining("a token has either sha256 (`headspan token new` makes it)")
        .hasMessageContaining("a certificate is for senders and operators");
  }

  private static String named(Tokens tokens, String... names) {
    return tokens.findByCertificate(List.of(names)).map(Token::name).orElse("");
  }
}
