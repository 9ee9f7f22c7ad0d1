package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PathSegmentTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "17",
        "0",
        "123e4567-e89b-12d3-a456-426614174000",
        "123E4567-E89B-12D3-A456-426614174000",
        "deadbeef01",
        "aaaaaaaabbbbbbbb",
        "507f1f77bcf86cd799439011",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "V1StGXR8_Z5jdHi6B-myT",
        "ann@example.com",
        "123e4567-e89b-12d3-a456-42661417400"
      })
  void takesForAnIdWhatLooksLikeOne(String segment) {
    assertThat(of(segment)).isEqualTo(PathSegment.ID);
  }

  @ParameterizedTest
  @ValueSource(strings = {"2026-01-31", "2026-12-01T10:00:00Z", "2026-12-01_10"})
  void takesForADateWhatLooksLikeOne(String segment) {
    assertThat(of(segment)).isEqualTo(PathSegment.DATE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "orders",
        "v1",
        "facade",
        "deadbeef",
        "a1b2c3",
        "order-17",
        "12345678-1234",
        "2026-13-01",
        "2026-01-31x",
        "exportInvoicesToPdfVersion2",
        "acme.shop.v1.Checkout",
        "*",
        "..",
        "%20"
      })
  void takesForANameWhatDoesNot(String segment) {
    assertThat(of(segment)).isEqualTo(PathSegment.NAME);
  }

  @Test
  void takesForAnIdWhatIsLongerThanNamesAre() {
    assertThat(of("x".repeat(64))).isEqualTo(PathSegment.NAME);
    assertThat(of("x".repeat(65))).isEqualTo(PathSegment.ID);
  }

  /// In the middle of a path, as it is used.
  private static PathSegment of(String segment) {
    return PathSegment.of("/9/" + segment + "/9", 3, 3 + segment.length());
  }
}
