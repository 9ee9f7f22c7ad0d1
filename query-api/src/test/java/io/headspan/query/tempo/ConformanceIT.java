package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.RecordedApi;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.traceql.MemorySearch;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Every query of the conformance table in docs/traceql.md finds what the table says, and what an
/// evaluation in memory finds, of constructs that one knows.
@ExtendWith(RecordedApi.class)
class ConformanceIT {
  private static final Path TABLE = Path.of("..", "docs", "traceql.md");
  private static final Pattern ROW =
      Pattern.compile("^\\| `+ ?(.+?) ?`+ \\| .* \\| ([0-9][^|]*) \\| (\\w+IT) \\|$");
  private static final String TIMES = "&start=1795214280&end=1795215300";

  @Test
  void everyQueryFindsWhatTheTableSays(RunningApi api) throws Exception {
    MemorySearch memory = new MemorySearch(RecordedSpans.requests());
    List<String> differences = new ArrayList<>();
    int rows = 0;
    int checked = 0;
    for (String line : Files.readAllLines(TABLE)) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        rows++;
        String query = row.group(1).replace("\\|", "|");
        String found = found(api, query, row.group(2).endsWith("series"));
        if (!found.equals(row.group(2))) {
          differences.add(query + ": table " + row.group(2) + ", found " + found);
        }
        Optional<String> evaluated = evaluated(memory, query);
        if (evaluated.isPresent()) {
          checked++;
          if (!evaluated.get().equals(found)) {
            differences.add(query + ": in memory " + evaluated.get() + ", found " + found);
          }
        }
      }
    }
    assertThat(differences).isEmpty();
    assertThat(rows).as("queries in the table").isGreaterThan(90);
    assertThat(checked).as("queries evaluated in memory too").isGreaterThan(50);
  }

  private static String found(RunningApi api, String query, boolean series) throws Exception {
    String path = series ? "/api/metrics/query?q=" : "/api/search?limit=5000&spss=1&q=";
    HttpResponse<byte[]> response =
        api.get(path + TestHttp.encoded(query) + TIMES, "application/json");
    if (response.statusCode() != 200) {
      return response.statusCode() + " " + TestHttp.text(response);
    }
    JsonNode answer = RecordedSearch.JSON.readTree(response.body());
    if (series) {
      return answer.get("series").size() + " series";
    }
    int sets = 0;
    int spans = 0;
    for (JsonNode trace : answer.get("traces")) {
      for (JsonNode set : trace.get("spanSets")) {
        sets++;
        spans += set.get("matched").asInt();
      }
    }
    return text(answer.get("traces").size(), sets, spans);
  }

  private static String text(int traces, int sets, int spans) {
    return traces + " traces, " + sets + " sets, " + spans + " spans";
  }

  private static Optional<String> evaluated(MemorySearch memory, String query) {
    return memory
        .searchIfKnown(query)
        .map(found -> {
          int sets = 0;
          int spans = 0;
          for (Map.Entry<String, List<String>> trace : found.entrySet()) {
            for (String set : trace.getValue()) {
              sets++;
              spans += set.split(",", -1).length;
            }
          }
          return text(found.size(), sets, spans);
        });
  }
}
