package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OperationNamesTest {
  private final OperationNames names = new OperationNames();

  @ParameterizedTest
  @CsvSource({
    "/, /",
    "/orders, /orders",
    "/orders/17, /orders/{id}",
    "/orders/17/items/4, /orders/{id}/items/{id}",
    "/17, /{id}",
    "/17/, /{id}/",
    "/a//17, /a//{id}",
    "/v1/users, /v1/users",
    "/123e4567-e89b-12d3-a456-426614174000/x, /{id}/x",
    "/123E4567-E89B-12D3-A456-426614174000, /{id}",
    "/123e4567-e89b-12d3-a456-42661417400, /123e4567-e89b-12d3-a456-42661417400",
    "/12345678-1234, /12345678-1234",
    "/deadbeef01, /{id}",
    "/deadbeef, /deadbeef",
    "/facade, /facade",
    "/a1b2c3, /a1b2c3",
    "/aaaaaaaabbbbbbbb, /{id}",
    "/order-17, /order-17",
    "*, *"
  })
  void replacesSegmentsThatLookLikeIds(String path, String template) {
    assertThat(OperationNames.template(path)).isEqualTo(template);
  }

  @Test
  void givesTheSameObjectForTheSameOperation() {
    assertThat(name("f", "GET", "/orders/1")).isEqualTo("GET /orders/{id}");
    assertThat(name("f", "GET", "/orders/2")).isSameAs(name("f", "GET", "/orders/3"));
    assertThat(name("f", "PUT", "/orders/2")).isEqualTo("PUT /orders/{id}");
  }

  @Test
  void namesUnknownMethodsAndMissingPathsByTheConventions() {
    assertThat(name("f", "PROPFIND", "/a")).isEqualTo("HTTP /a");
    assertThat(name("f", "CONNECT", "")).isEqualTo("CONNECT");
  }

  @Test
  void namesABoundedNumberOfOperationsPerFunction() {
    for (int i = 0; i < 1_000; i++) {
      name("f", "GET", "/word" + i + "/x");
    }
    assertThat(names.others()).isEqualTo(800);
    assertThat(name("f", "GET", "/another")).isEqualTo("GET {other}");
    assertThat(name("f", "POST", "/another")).isEqualTo("POST {other}");
    assertThat(name("f", "GET", "/word7/x")).isEqualTo("GET /word7/x");
    assertThat(name("g", "GET", "/another")).isEqualTo("GET /another");
  }

  private String name(String function, String method, String path) {
    return names.name(function, new RequestHead(method, path, 1, CarriedContext.NONE, null));
  }
}
