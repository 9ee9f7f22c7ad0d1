package io.headspan.wire.access;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.jupiter.api.Test;

class AuthorizationTest {
  @Test
  void findsTheTokenInEitherForm() {
    assertThat(Authorization.token("Bearer abc")).contains("abc");
    assertThat(Authorization.token("bearer  abc ")).contains("abc");
    assertThat(Authorization.token("Basic " + base64("any:a:b"))).contains("a:b");
    assertThat(Authorization.token("BASIC " + base64("abc"))).contains("abc");
  }

  @Test
  void findsNothingInAnythingElse() {
    assertThat(Authorization.token("")).isEmpty();
    assertThat(Authorization.token("Digest abc")).isEmpty();
    assertThat(Authorization.token("Basic ???")).isEmpty();
    assertThat(Authorization.token("Bearer " + "a".repeat(5_000))).isEmpty();
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }
}
