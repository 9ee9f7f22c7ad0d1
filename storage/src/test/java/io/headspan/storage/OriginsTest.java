package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.AttributeType;
import io.headspan.wire.SpanBatch;
import org.junit.jupiter.api.Test;

final class OriginsTest {
  @Test
  void fingerprintsDoNotDependOnTheOrderOfAttributes() {
    assertThat(fingerprint("a", 1, "b", 2)).isEqualTo(fingerprint("b", 2, "a", 1));
  }

  @Test
  void fingerprintsDependOnEveryKeyTypeAndValue() {
    assertThat(fingerprint("a", 1, "b", 2))
        .isNotEqualTo(fingerprint("a", 2, "b", 1))
        .isNotEqualTo(fingerprint("a", 1, "c", 2))
        .isNotEqualTo(fingerprint("a", 1, "b", 3))
        .isNotEqualTo(fingerprint("ab", 1, "", 2));
  }

  @Test
  void hotAttributesAreTextOnly() {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int resource = builder.addResource();
    int service = builder.table().intern("service.name");
    int tenant = builder.table().intern("headspan.tenant");
    int shop = builder.table().intern("shop");
    builder.resourceAttributes().add(resource, service, AttributeType.STRING, shop);
    builder.resourceAttributes().add(resource, tenant, AttributeType.INT, 5);
    builder.addScope(resource);
    Origins origins = Origins.of(builder.build());
    assertThat(origins.hot(2, 0)).isEqualTo(shop);
    assertThat(origins.hot(0, 0)).isZero();
  }

  private static long fingerprint(String key1, long value1, String key2, long value2) {
    SpanBatch.Builder builder = new SpanBatch.Builder();
    int resource = builder.addResource();
    builder
        .resourceAttributes()
        .add(resource, builder.table().intern(key1), AttributeType.INT, value1);
    builder
        .resourceAttributes()
        .add(resource, builder.table().intern(key2), AttributeType.INT, value2);
    return Origins.of(builder.build()).resourceFingerprints()[0];
  }
}
