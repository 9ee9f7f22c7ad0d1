package io.headspan.collector.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.storage.Retention;
import io.headspan.storage.StoreAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TenantRulesTest {
  @TempDir private Path directory;

  private TenantRules read(String text) throws IOException {
    return TenantRules.read(
        Files.writeString(directory.resolve("tenants.yaml"), text),
        "eu",
        IllegalArgumentException::new);
  }

  @Test
  void readsLimitsAndRegions() throws IOException {
    Path address =
        Files.writeString(directory.resolve("address"), "https://u:secret@asia.example:8443\n");
    TenantRules rules =
        read(
            """
            regions:
              - {name: us, store: "http://us.example:8123/spans"}
              - {name: asia, store_file: %s}
            tenants:
              - {name: "*", spans_per_second: 5000, attributes: 128}
              - {name: acme, region: us, spans_per_second: 100, burst: 10s, kib_per_second: 64, record_kib: 256, value_kib: 0.01}
              - {name: bravo, region: eu, log_records_per_second: 0.5, data_points_per_second: 7}
            """
                .formatted(address));
    assertThat(rules.limitsOf("acme"))
        .isEqualTo(new TenantLimits(100, 0, 0, 65_536, Duration.ofSeconds(10), 0, 11, 256 * 1024));
    assertThat(rules.limitsOf("bravo"))
        .isEqualTo(new TenantLimits(0, 0.5, 7, 0, Duration.ofMinutes(1), 0, 0, 0));
    assertThat(rules.limitsOf("anyone").spansPerSecond()).isEqualTo(5_000);
    assertThat(rules.limitsOf("").attributes()).isEqualTo(128);
    assertThat(rules.hasLimits()).isTrue();
    assertThat(rules.regionOf("acme")).isEqualTo("us");
    assertThat(rules.regionOf("bravo")).isEmpty();
    assertThat(rules.regionOf("anyone")).isEmpty();
    assertThat(rules.stores())
        .isEqualTo(
            Map.of(
                "us", StoreAddress.parse("http://us.example:8123/spans"),
                "asia", StoreAddress.parse("https://u:secret@asia.example:8443")));
    assertThat(rules.toString()).doesNotContain("secret");
  }

  @Test
  void readsForHowLong() throws IOException {
    TenantRules rules =
        read(
            """
            tenants:
              - {name: acme, retention_days: 90}
              - {name: bravo, retention_days: 0}
              - {name: charlie, spans_per_second: 1}
            """);
    assertThat(rules.retention(30)).isEqualTo(new Retention(Map.of("acme", 90, "bravo", 0), 30));
    assertThat(read("tenants: [{name: '*', retention_days: 7}]").retention(30))
        .isEqualTo(new Retention(Map.of(), 7));
    assertThatThrownBy(() -> read("tenants: [{name: acme, retention_days: 1 week}]"))
        .hasMessageContaining("retention_days is no number from 0, for ever, to 36500");
  }

  @Test
  void namesEveryProblemAtOnceAndNoSecret() {
    assertThatThrownBy(() ->
            read(
                """
                regions:
                  - {store: "http://a:8123"}
                  - {name: eu, store: "http://b:8123"}
                  - {name: us, store: "ftp://u:hunter2@c"}
                  - {name: asia}
                  - {name: moon, store_file: %s}
                  - {name: sea, store: "http://d:8123"}
                  - {name: sea, store: "http://e:8123"}
                tenants:
                  - {spans_per_second: 1}
                  - {name: acme, region: mars}
                  - {name: acme, spans_per_second: 0}
                  - {name: "*", region: sea, burst: soon}
                  - {name: bravo, spans: 7}
                """
                    .formatted(directory.resolve("none"))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("region without a name")
        .hasMessageContaining("own region has the collector's own store: name=eu")
        .hasMessageContaining("not a store address: address=ftp://c")
        .hasMessageContaining("a region has either store or store_file")
        .hasMessageContaining("store_file cannot be read: file=" + directory.resolve("none"))
        .hasMessageContaining("region given twice: name=sea")
        .hasMessageContaining("tenant without a name")
        .hasMessageContaining("unknown region: region=mars")
        .hasMessageContaining("tenant given twice: name=acme")
        .hasMessageContaining("spans_per_second is no number above 0")
        .hasMessageContaining("all others are stored in the collector's own region")
        .hasMessageContaining("burst is no duration")
        .hasMessageContaining("unknown key: tenants.spans")
        .hasMessageNotContaining("hunter2");
  }
}
