package io.headspan.query.access;

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
    assertThat(tokens.find("first").orElseThrow().caller())
        .isEqualTo(new Caller("oncall", Caller.Role.OPERATOR, List.of()));
    Token second = tokens.find("second").orElseThrow();
    assertThat(second.caller().tenants()).containsExactly("acme", "bravo");
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
        .hasMessageContaining("role is neither operator nor tenant")
        .hasMessageContaining("token of a tenant without tenants")
        .hasMessageContaining("sha256 is not 64 hex digits")
        .hasMessageContaining("requests_per_second is no number above 0")
        .hasMessageContaining("token given twice")
        .hasMessageContaining("tokens.tenant")
        .hasMessageContaining("tokens of tenants need a secret of 16 characters");
  }

  @Test
  void aPseudonymIsKeyedAndStable() {
    Pseudonyms pseudonyms = new Pseudonyms("a secret of the platform");
    assertThat(pseudonyms.of("acme"))
        .matches("tenant-[0-9a-f]{12}")
        .isEqualTo(new Pseudonyms("a secret of the platform").of("acme"))
        .isNotEqualTo(new Pseudonyms("another secret, of others").of("acme"))
        .isNotEqualTo(pseudonyms.of("bravo"));
    assertThat(pseudonyms.of("{host}")).isEqualTo("{host}");
    assertThat(pseudonyms.of("")).isEmpty();
  }

  @Test
  void aRateLimitLetsThroughWhatItSays() {
    RateLimit limit = new RateLimit(2, 0);
    for (int i = 0; i < 4; i++) {
      assertThat(limit.lets(0)).isTrue();
    }
    assertThat(limit.lets(400_000_000)).isFalse();
    assertThat(limit.lets(500_000_000)).isTrue();
    assertThat(limit.lets(500_000_000)).isFalse();
    assertThat(limit.lets(3_600_000_000_000L)).isTrue();
  }
}
