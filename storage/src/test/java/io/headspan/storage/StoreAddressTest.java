package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wire.config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StoreAddressTest {
  @Test
  void fillsInDefaults() {
    assertThat(StoreAddress.parse("http://db"))
        .isEqualTo(new StoreAddress(false, "db", 8123, "headspan", "default", ""));
    assertThat(StoreAddress.parse("https://db/"))
        .isEqualTo(new StoreAddress(true, "db", 8443, "headspan", "default", ""));
  }

  @Test
  void readsEveryPart() {
    assertThat(StoreAddress.parse("https://me:p%40ss+w@[::1]:9000/traces"))
        .isEqualTo(new StoreAddress(true, "::1", 9000, "traces", "me", "p@ss+w"));
  }

  @Test
  void readsTheNodesOfACluster() {
    assertThat(StoreAddress.parse("https://u:p@a,b:9000,[::1]/d?cluster=main&ca=/ca.pem"))
        .isEqualTo(
            new StoreAddress(
                true,
                List.of(
                    new HostPort("a", 8443), new HostPort("b", 9000), new HostPort("::1", 8443)),
                "d",
                "u",
                "p",
                new StoreAddress.Tls(
                    Optional.of(Path.of("/ca.pem")), Optional.empty(), Optional.empty()),
                Optional.of(new StoreAddress.Cluster("main", true))));
    StoreAddress unreplicated = StoreAddress.parse("http://a?replicated=false&cluster=main");
    assertThat(unreplicated.cluster()).contains(new StoreAddress.Cluster("main", false));
    assertThat(StoreAddress.parse(unreplicated.toString())).isEqualTo(unreplicated);
    assertThat(unreplicated.tableDatabase()).isEqualTo("headspan_shard");
    assertThat(StoreAddress.parse("http://a").tableDatabase()).isEqualTo("headspan");
  }

  @Test
  void readsThePasswordFromAFileOrAVariable(@TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("password"), "s3cret\n");
    StoreAddress fromFile = StoreAddress.parse("http://u@db?password_file=" + file);
    assertThat(fromFile.password()).isEqualTo("s3cret");
    assertThat(fromFile).hasToString("http://db:8123/headspan");
    assertThat(StoreAddress.parse("http://u@db?password_env=PW", Map.of("PW", "s3cret")).password())
        .isEqualTo("s3cret");
    assertThatThrownBy(() -> StoreAddress.parse("http://u@db?password_env=PW", Map.of()))
        .hasMessage("store password is not set: variable=PW");
    assertThatThrownBy(() -> StoreAddress.parse("http://u@db?password_file=/not/there"))
        .hasMessageStartingWith("store password cannot be read: file=/not/there");
    assertThatThrownBy(() -> StoreAddress.parse("http://u:s3cret@db?password_file=" + file))
        .hasMessageStartingWith("store password is given twice")
        .hasMessageNotContaining("s3cret");
  }

  @Test
  void saysWhatAClusterNeeds() {
    assertThatThrownBy(() -> StoreAddress.parse("http://a,b"))
        .hasMessageContaining("several nodes without a cluster")
        .hasMessageContaining("?cluster=name");
    assertThatThrownBy(() -> StoreAddress.parse("http://a,a?cluster=c"))
        .hasMessageContaining("named twice");
    assertThatThrownBy(() -> StoreAddress.parse("http://a?ca=/ca.pem"))
        .hasMessageContaining("use https");
    assertThatThrownBy(() -> StoreAddress.parse("https://a?key=/key.pem"))
        .hasMessageContaining("certificate, key");
    assertThatThrownBy(() -> StoreAddress.parse("http://a?klaster=c"))
        .hasMessageContaining("unknown parameters: parameters=[klaster]");
  }

  @Test
  void hidesCredentials() {
    assertThat(StoreAddress.parse("http://me:secret@db:1/d")).hasToString("http://db:1/d");
    assertThatThrownBy(() -> StoreAddress.parse("ftp://me:secret@db"))
        .hasMessageContaining("ftp://db")
        .hasMessageNotContaining("secret");
  }

  @Test
  void rejectsWhatIsNoAddress() {
    for (String text :
        new String[] {
          "",
          "db:8123",
          "http://",
          "http://db:70000",
          "http://db/a-b",
          "http://db?x=1",
          "http://a,,b?cluster=c",
          "http://db?cluster=a'b",
          "http://db?replicated=false"
        }) {
      assertThatThrownBy(() -> StoreAddress.parse(text))
          .as(text)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
