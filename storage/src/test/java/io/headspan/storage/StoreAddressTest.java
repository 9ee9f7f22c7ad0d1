package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

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
          "", "db:8123", "http://", "http://db:70000", "http://db/a-b", "http://db?x=1"
        }) {
      assertThatThrownBy(() -> StoreAddress.parse(text))
          .as(text)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
