package io.headspan.query.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.query.traceql.TimeRange;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestTest {
  private static final Instant NOW = Instant.parse("2026-11-20T22:00:00Z");

  private static Request request(String query) {
    HttpRequest request = HttpRequest.of(HttpMethod.GET, "/x?" + query);
    return new Request(ServiceRequestContext.of(request), Clock.fixed(NOW, ZoneOffset.UTC));
  }

  @ParameterizedTest
  @CsvSource({
    "start=100&end=200, 100000000000, 200999999999",
    "start=100.5&end=200.25, 100500000000, 200250000000",
    "start=1795214280000000000&end=1795214280000000001, 1795214280000000000, 1795214280000000001",
    "start=1970-01-01T00:01:40Z&end=1970-01-01T01:03:20.5%2B01:00, 100000000000, 200500000000"
  })
  void readsTimes(String query, long fromNs, long toNs) {
    assertThat(request(query).timeRange()).isEqualTo(new TimeRange(fromNs, toNs));
  }

  @Test
  void looksAtTheLastHourByDefault() {
    TimeRange range = request("start=0").timeRange();
    long nowNs = NOW.getEpochSecond() * 1_000_000_000L;
    assertThat(range.fromNs()).isEqualTo(nowNs - Duration.ofHours(1).toNanos());
    assertThat(range.toNs()).isGreaterThan(nowNs);
    assertThat(request("end=1000000").timeRange().fromNs()).isLessThan(1_000_000_000_000_000L);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"start=x", "start=-5", "end=1e30", "start=5&end=4", "end=2026-13-01T00:00:00Z"})
  void refusesWhatIsNoTime(String query) {
    assertThatThrownBy(() -> request(query).timeRange())
        .isInstanceOf(RequestException.class)
        .hasMessageMatching("(not a time: |start lies after end).*");
  }

  @Test
  void readsNumbersAndDurations() {
    assertThat(request("limit=7").integer("limit", 20, 1, 10)).isEqualTo(7);
    assertThat(request("").integer("limit", 20, 1, 10)).isEqualTo(20);
    assertThat(request("d=1m30s").duration("d")).contains(Duration.ofSeconds(90));
    assertThat(request("d=").duration("d")).isEmpty();
    assertThatThrownBy(() -> request("d=-1s").duration("d")).hasMessageContaining("d=-1s");
  }
}
