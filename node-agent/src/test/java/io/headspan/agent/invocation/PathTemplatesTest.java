package io.headspan.agent.invocation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PathTemplatesTest {
  private final PathTemplates templates = new PathTemplates();

  @ParameterizedTest
  @CsvSource({
    "/, /",
    "/orders, /orders",
    "/orders/17, /orders/{id}",
    "/orders/17/items/4, /orders/{id}/items/{id}",
    "/17/, /{id}/",
    "/a//17, /a//{id}",
    "/days/2026-01-31, /days/{date}",
    "/acme.Checkout/Pay, /acme.Checkout/Pay",
    "*, *"
  })
  void replacesByForm(String path, String template) {
    assertThat(templates.of(path)).isEqualTo(template);
  }

  @Test
  void learnsThatAPlaceHoldsValues() {
    for (int i = 0; i < 1_000; i++) {
      templates.of("/users/" + word(i) + "/orders");
    }
    assertThat(templates.of("/users/somebody/orders")).isEqualTo("/users/{name}/orders");
    assertThat(templates.of("/users/" + word(0) + "/orders")).isEqualTo("/users/{name}/orders");
    assertThat(templates.places()).isLessThan(3 * PathTemplates.TRUSTED_NAMES);
  }

  @Test
  void keepsNamesThatStandWhereValuesStandToo() {
    for (int i = 0; i < 1_000; i++) {
      templates.of("/users/" + word(i));
      templates.of("/users/me");
    }
    assertThat(templates.of("/users/me")).isEqualTo("/users/me");
    assertThat(templates.of("/users/" + word(999))).isEqualTo("/users/{name}");
  }

  @Test
  void learnsANameThatComesAfterManyValues() {
    for (int i = 0; i < 1_000; i++) {
      templates.of("/users/" + word(i));
    }
    for (int i = 0; i < 100; i++) {
      templates.of("/users/search");
    }
    assertThat(templates.of("/users/search")).isEqualTo("/users/search");
  }

  @Test
  void keepsMoreNamesThanItTrustsIfTheyComeOften() {
    for (int round = 0; round < 30; round++) {
      for (int i = 0; i < 50; i++) {
        templates.of("/api/" + word(i));
      }
    }
    for (int i = 0; i < 50; i++) {
      assertThat(templates.of("/api/" + word(i))).isEqualTo("/api/" + word(i));
    }
  }

  @Test
  void hasNoTemplateForPathsThatAreTooDeep() {
    assertThat(templates.of("/a".repeat(PathTemplates.SEGMENTS_MAX))).isNotNull();
    assertThat(templates.of("/a".repeat(PathTemplates.SEGMENTS_MAX + 1))).isNull();
  }

  /// Interfaces made at random, with requests made at random from them: after some time every
  /// request has the template that it was made from.
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void findsTheTemplatesThatPathsWereMadeFrom(long seed) {
    RandomGenerator random = new SplittableRandom(seed);
    List<String> truth = randomInterface(random);
    for (int i = 0; i < 40_000; i++) {
      templates.of(fill(truth.get(random.nextInt(truth.size())), random));
    }
    Map<String, String> wrong = new HashMap<>();
    for (int i = 0; i < 2_000; i++) {
      String template = truth.get(random.nextInt(truth.size()));
      String path = fill(template, random);
      String found = templates.of(path);
      if (!template.equals(found)) {
        wrong.put(path, template + " found as " + found);
      }
    }
    assertThat(wrong).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13})
  void staysBoundedAndTrueToThePathWhateverComes(long seed) {
    RandomGenerator random = new SplittableRandom(seed);
    for (int i = 0; i < 50_000; i++) {
      String path = randomPath(random);
      String template = templates.of(path);
      assertThat(templates.places()).isLessThanOrEqualTo(PathTemplates.PLACES_MAX);
      if (template != null) {
        assertMatches(template, path);
      }
    }
  }

  /// Every segment is what it was or a placeholder.
  private static void assertMatches(String template, String path) {
    String[] expected = path.split("/", -1);
    String[] actual = template.split("/", -1);
    assertThat(actual).as(path).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      assertThat(actual[i]).as(path).isIn(expected[i], "{id}", "{name}", "{date}");
    }
  }

  private static String randomPath(RandomGenerator random) {
    StringBuilder path = new StringBuilder();
    int depth = random.nextInt(1, 30);
    for (int i = 0; i < depth; i++) {
      path.append('/');
      int length = random.nextInt(0, 4);
      for (int j = 0; j < length; j++) {
        path.append("abz09-.@{}%".charAt(random.nextInt(11)));
      }
    }
    return path.toString();
  }

  private static List<String> randomInterface(RandomGenerator random) {
    List<String> truth = new ArrayList<>();
    int resources = random.nextInt(2, 12);
    for (int i = 0; i < resources; i++) {
      String base = "/api/" + word(100_000 + i);
      truth.add(base);
      String value =
          switch (random.nextInt(3)) {
            case 0 -> "{id}";
            case 1 -> "{name}";
            default -> "{date}";
          };
      truth.add(base + "/" + value);
      if (random.nextBoolean()) {
        truth.add(base + "/" + value + "/" + word(200_000 + i));
      }
      if (random.nextBoolean()) {
        truth.add(base + "/" + value + "/parts/{name}");
      }
    }
    return truth;
  }

  private static String fill(String template, RandomGenerator random) {
    return template
        .replace("{id}", Integer.toString(random.nextInt(1_000_000)))
        .replace("{name}", word(random.nextInt(50_000)))
        .replace(
            "{date}",
            "20%02d-%02d-%02d"
                .formatted(random.nextInt(100), random.nextInt(1, 13), random.nextInt(1, 29)));
  }

  /// A word of letters, another for each number.
  private static String word(int number) {
    StringBuilder word = new StringBuilder("w");
    for (int rest = number; rest > 0; rest /= 20) {
      word.append("ghijklmnopqrstuvwxyz".charAt(rest % 20));
    }
    return word.toString();
  }
}
