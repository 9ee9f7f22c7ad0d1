package io.headspan.query;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;

/// The recorded requests that are not answered as recorded, and why: a line each, the request, a
/// tab, the reason. A line that is answered as recorded must leave the file, and one that no longer
/// is fails the test.
public final class ExpectedDifferences {
  private final Map<String, String> reasons;

  private ExpectedDifferences(Map<String, String> reasons) {
    this.reasons = reasons;
  }

  /// The differences of a resource.
  public static ExpectedDifferences of(String resource) throws IOException {
    Map<String, String> reasons = new TreeMap<>();
    try (InputStream in =
            Objects.requireNonNull(
                ExpectedDifferences.class.getResourceAsStream(resource), resource);
        BufferedReader reader =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        if (!line.isBlank() && !line.startsWith("#")) {
          int tab = line.indexOf('\t');
          assertThat(tab).as("a tab and a reason after the request: %s", line).isPositive();
          reasons.put(line.substring(0, tab), line.substring(tab + 1));
        }
      }
    }
    return new ExpectedDifferences(reasons);
  }

  /// That the requests of `differences` are those of the file.
  ///
  /// @param differences what is different, by request
  public void assertExactly(Map<String, String> differences) {
    Map<String, String> surprising = new TreeMap<>(differences);
    surprising.keySet().removeAll(reasons.keySet());
    assertThat(surprising).as("answered otherwise than recorded").isEmpty();
    TreeSet<String> answered = new TreeSet<>(reasons.keySet());
    answered.removeAll(differences.keySet());
    assertThat(answered).as("answered as recorded, and still in the file").isEmpty();
  }
}
