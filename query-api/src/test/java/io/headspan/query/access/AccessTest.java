package io.headspan.query.access;

import static org.assertj.core.api.Assertions.assertThat;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.wire.access.Tokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AccessTest {
  private static final String KEY = "a secret of the platform";

  @TempDir private Path directory;
  private Path file;
  private Access access;

  @BeforeEach
  void open() throws IOException {
    file = directory.resolve("tokens.yaml");
    write(KEY, "first", "operator");
    access =
        Access.of(
            new AccessSettings(Optional.of(file), "", Optional.empty()),
            IllegalArgumentException::new);
  }

  @AfterEach
  void close() {
    access.close();
  }

  @Test
  void readsTokensAgainWhenTheyChange() throws Exception {
    assertThat(status("first")).isEqualTo(200);
    assertThat(status("second")).isEqualTo(401);

    write(KEY, "second", "operator");
    until(() -> status("second") == 200);
    assertThat(status("first")).isEqualTo(401);
  }

  @Test
  void keepsTheOldTokensIfTheNewOnesAreWrong() throws Exception {
    assertThat(status("first")).isEqualTo(200);
    Files.writeString(file, "tokens: nonsense");
    awaitALook();
    assertThat(status("first")).isEqualTo(200);

    write("another secret of the platform", "second", "operator");
    awaitALook();
    assertThat(status("first")).as("another key needs another start").isEqualTo(200);
    assertThat(status("second")).isEqualTo(401);
  }

  @Test
  void whoMaySendMayNotAsk() throws Exception {
    write(KEY, "agent", "agent");
    until(() -> status("agent") == 403);
  }

  private void write(String key, String token, String role) throws IOException {
    Files.writeString(
        file,
        "pseudonym_key: %s\ntokens: [{name: %s, role: %s, requests_per_second: 100000, sha256: %s}]"
            .formatted(key, token, role, Tokens.hash(token)));
  }

  private int status(String token) {
    HttpRequest request =
        HttpRequest.of(
            RequestHeaders.of(HttpMethod.GET, "/api/search", "authorization", "Bearer " + token));
    try {
      return access
          .decorate((_, _) -> HttpResponse.of(200), ServiceRequestContext.of(request), request)
          .aggregate()
          .join()
          .status()
          .code();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /// The file is looked at once a second.
  private void awaitALook() {
    long sinceNs = System.nanoTime();
    until(() -> {
      int status = status("first");
      return status != 200 || System.nanoTime() - sinceNs > TimeUnit.MILLISECONDS.toNanos(2_500);
    });
  }

  private static void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("20 s have passed").isLessThan(deadlineNs);
      LockSupport.parkNanos(10_000_000);
    }
  }
}
