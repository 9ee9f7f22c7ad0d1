package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.RandomTraces;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.traceql.MemorySearch;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Random searches over random traces give the spansets that an evaluation in memory gives.
class SearchPropertyIT {
  private static final long SEED = Long.getLong("headspan.seed", 20261121);
  private static final int TRACES = 120;
  private static final int SEARCHES = Integer.getInteger("headspan.queries", 120);
  private static final long START_S = 1_795_215_000;

  @TempDir static Path directory;

  @Test
  void searchesAgreeWithAnEvaluationInMemory() throws Exception {
    List<ExportTraceServiceRequest> traces =
        new RandomTraces(SEED).next(TRACES, START_S * 1_000_000_000);
    MemorySearch memory = new MemorySearch(traces);
    List<String> differences = new ArrayList<>();
    int selective = 0;
    try (RunningApi api = RunningApi.start(directory, traces)) {
      for (String search : MemorySearch.randomQueries(SEED, SEARCHES)) {
        HttpResponse<byte[]> response =
            api.get(
                "/api/search?limit=5000&spss=1000&start="
                    + START_S
                    + "&end="
                    + (START_S + 120)
                    + "&q="
                    + TestHttp.encoded(search),
                "application/json");
        assertThat(response.statusCode())
            .as(search + ": " + TestHttp.text(response))
            .isEqualTo(200);
        Map<String, List<String>> want = memory.search(search);
        if (!want.isEmpty() && want.size() < TRACES) {
          selective++;
        }
        String difference =
            RecordedAnswersIT.firstDifference(
                texts(RecordedSearch.spanIds(RecordedSearch.JSON.readTree(response.body()))),
                texts(want));
        if (!difference.isEmpty()) {
          differences.add(search + ": " + difference);
        }
      }
    }
    assertThat(differences).as("seed %d", SEED).isEmpty();
    assertThat(selective).as("searches that tell traces apart").isGreaterThan(SEARCHES / 3);
  }

  private static Map<String, String> texts(Map<String, List<String>> sets) {
    Map<String, String> texts = new TreeMap<>();
    sets.forEach((trace, ofTrace) -> texts.put(trace, ofTrace.toString()));
    return texts;
  }
}
