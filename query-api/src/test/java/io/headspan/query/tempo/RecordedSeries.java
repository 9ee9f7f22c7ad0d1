package io.headspan.query.tempo;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Recorded time series, and how ours are compared with them.
final class RecordedSeries {
  /// Sums of floats depend on the order of their addends; Tempo's has none.
  private static final MathContext DIGITS = new MathContext(11);

  private static final BigDecimal MS_PER_SECOND = BigDecimal.valueOf(1000);

  private RecordedSeries() {}

  /// What is different between our series and those of `line`; "" if nothing is.
  static String difference(JsonNode ours, JsonNode line) {
    return RecordedAnswersIT.firstDifference(canonical(ours), canonical(line.get("series")));
  }

  private static Map<String, String> canonical(JsonNode series) {
    Map<String, String> byLabels = new TreeMap<>();
    for (JsonNode one : series) {
      String labels =
          RecordedSearch.stream(one.get("labels"))
              .map(label -> label.get("key").asText() + "=" + value(label.get("value")))
              .sorted()
              .collect(Collectors.joining(",", "{", "}"));
      byLabels.put(labels, one.has("samples") ? samples(one) : number(one.get("value")));
    }
    return byLabels;
  }

  private static String value(JsonNode value) {
    return RecordedSearch.canonicalValue(value);
  }

  private static String samples(JsonNode series) {
    Map<String, String> byTime = new TreeMap<>();
    for (JsonNode sample : series.get("samples")) {
      if (sample.isArray()) {
        byTime.put(sample.get(0).asText(), number(sample.get(1)));
      } else {
        BigDecimal ms = new BigDecimal(sample.get("timestampMs").asText());
        byTime.put(ms.divide(MS_PER_SECOND).toPlainString(), number(sample.get("value")));
      }
    }
    return byTime.toString();
  }

  private static String number(JsonNode value) {
    return new BigDecimal(value.asText()).round(DIGITS).stripTrailingZeros().toString();
  }
}
