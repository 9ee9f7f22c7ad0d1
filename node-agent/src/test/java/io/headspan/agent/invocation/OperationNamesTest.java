package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.RequestHead;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class OperationNamesTest {
  private final OperationNames names = new OperationNames();

  @Test
  void givesTheSameObjectForTheSameOperation() {
    assertThat(name("f", "GET", "/orders/1")).isEqualTo("GET /orders/{id}");
    assertThat(of("f", "GET", "/orders/2")).isSameAs(of("f", "GET", "/orders/3"));
    assertThat(of("f", "GET", "/orders/2").template()).isEqualTo("/orders/{id}");
    assertThat(name("f", "PUT", "/orders/2")).isEqualTo("PUT /orders/{id}");
  }

  @Test
  void namesUnknownMethodsAndMissingPathsByTheConventions() {
    assertThat(name("f", "PROPFIND", "/a")).isEqualTo("HTTP /a");
    assertThat(of("f", "CONNECT", "")).isEqualTo(new Operation("CONNECT", null));
  }

  @Test
  void namesABoundedNumberOfOperationsPerFunction() {
    for (int i = 0; i < 25; i++) {
      for (int j = 0; j < 8; j++) {
        name("f", "GET", "/" + (char) ('a' + i) + "x/" + (char) ('a' + j) + "x");
      }
    }
    // A 25th name at one place is a {name}, whose operations come to the others.
    assertThat(names.others()).isZero();
    assertThat(of("f", "GET", "/ax/zx")).isEqualTo(new Operation("GET {other}", null));
    assertThat(name("f", "POST", "/another")).isEqualTo("POST {other}");
    assertThat(name("f", "GET", "/ax/bx")).isEqualTo("GET /ax/bx");
    assertThat(name("g", "GET", "/another")).isEqualTo("GET /another");
    assertThat(names.others()).isEqualTo(2);
  }

  @Test
  void neverGivesMoreNamesThanTheLimitWhateverComes() {
    RandomGenerator random = new SplittableRandom(5);
    Set<String> given = new HashSet<>();
    long others = 0;
    for (int i = 0; i < 100_000; i++) {
      StringBuilder path = new StringBuilder();
      int depth = random.nextInt(1, 5);
      for (int j = 0; j < depth; j++) {
        path.append("/p").append("ghijklmnop".charAt(random.nextInt(10)));
      }
      Operation operation = of("f", "GET", path.toString());
      if (operation.template() == null) {
        others++;
      } else {
        given.add(operation.name());
      }
    }
    assertThat(given).hasSize(OperationNames.OPERATIONS_MAX);
    assertThat(names.others()).isEqualTo(others).isPositive();
  }

  @Test
  void forgetsFunctionsThatWereSilentTheLongest() {
    for (int i = 0; i < OperationNames.FUNCTIONS_MAX + 100; i++) {
      name("f" + i, "GET", "/a");
      name("f0", "GET", "/b");
    }
    assertThat(names.functions()).isEqualTo(OperationNames.FUNCTIONS_MAX);
  }

  @Test
  void forgetsFunctionsWhosePathsAreTooMany() {
    int perFunction = PathTemplates.PLACES_MAX;
    int functions = OperationNames.PLACES_MAX / perFunction + 50;
    for (int i = 0; i < functions; i++) {
      for (int j = 0; j < 15 * 15 * 15; j++) {
        char first = (char) ('g' + j % 15);
        char second = (char) ('g' + j / 15 % 15);
        char third = (char) ('g' + j / 225 % 15);
        name("f" + i, "GET", "/" + first + "/" + second + "/" + third + "/x");
      }
    }
    assertThat(names.functions()).isBetween(1, functions - 40);
  }

  private String name(String function, String method, String path) {
    return of(function, method, path).name();
  }

  private Operation of(String function, String method, String path) {
    return names.of(function, new RequestHead(method, path, 1, CarriedContext.NONE, null));
  }
}
