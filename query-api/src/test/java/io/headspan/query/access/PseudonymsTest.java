package io.headspan.query.access;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PseudonymsTest {
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
