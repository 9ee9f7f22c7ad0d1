package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The bytes are the beginnings of real conversations, as the protocols' documents give them.
class PeerProtocolTest {
  @ParameterizedTest
  @CsvSource({
    "2a310d0a24340d0a50494e470d0a, 7000, redis",
    "2a330d0a24330d0a5345540d0a24310d, 6379, redis",
    "0000000804d2162f, 7000, postgresql",
    "00000025000300007573657200706f73, 7000, postgresql",
    "510000000d73656c656374203100, 5432, postgresql",
    "510000000d73656c656374203100, 7000,",
    "3a0000000100000000000000dd070000, 7000, mongodb",
    "3a0000000100000007000000dd070000, 7000,",
    "67657420610d0a, 11211, memcached",
    "67657420610d0a, 7000,",
    "80000003000000000000000300000000, 11211, memcached",
    "0f0000000373656c6563742031, 3306, mysql",
    "200000018da20a00, 3306, mysql",
    "0f0000000373656c6563742031, 7000,",
    "2a, 6379,",
    "1603010200010001fc0303, 6379,",
    "'', 6379,"
  })
  void namesWhatTheBytesShow(String hex, int port, @Nullable String system) {
    assertThat(PeerProtocol.of(HexFormat.of().parseHex(hex), port)).isEqualTo(system);
  }

  @Test
  void readsWhateverComes() {
    RandomGenerator random = new SplittableRandom(3);
    int[] ports = {1, 3306, 5432, 6379, 11211, 27017};
    for (int i = 0; i < 200_000; i++) {
      byte[] bytes = new byte[random.nextInt(PeerProtocol.FIRST_BYTES + 1)];
      random.nextBytes(bytes);
      if (random.nextBoolean()) {
        Arrays.fill(bytes, (byte) "*$Q0\r\n".charAt(random.nextInt(6)));
      }
      String system = PeerProtocol.of(bytes, ports[random.nextInt(ports.length)]);
      assertThat(system).isIn(null, "redis", "postgresql", "mysql", "memcached", "mongodb");
    }
  }
}
