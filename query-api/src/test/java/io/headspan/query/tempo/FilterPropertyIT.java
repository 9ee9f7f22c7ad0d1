package io.headspan.query.tempo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.headspan.query.RecordedApi;
import io.headspan.query.RecordedSpans;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.query.traceql.RecordedFields;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Random filters give the spans that an evaluation in memory gives.
@ExtendWith(RecordedApi.class)
class FilterPropertyIT {
  private static final long SEED = Long.getLong("headspan.seed", 20261120);
  private static final int FILTERS = Integer.getInteger("headspan.queries", 150);

  @Test
  void filtersAgreeWithAnEvaluationInMemory(RunningApi api) throws Exception {
    RecordedFields fields = RecordedFields.of(RecordedSpans.requests());
    List<String> differences = new ArrayList<>();
    int selective = 0;
    for (String filter : RecordedFields.randomFilters(SEED, FILTERS)) {
      HttpResponse<byte[]> response =
          api.get(
              "/api/search?limit=2000&spss=1000&start=1795214280&end=1795215300&q="
                  + TestHttp.encoded(filter),
              "application/json");
      assertThat(response.statusCode()).as(filter + TestHttp.text(response)).isEqualTo(200);
      Set<String> got = new TreeSet<>();
      for (JsonNode trace : RecordedSearch.JSON.readTree(response.body()).get("traces")) {
        for (JsonNode span : trace.get("spanSet").get("spans")) {
          got.add(trace.get("traceID").asText() + "/" + span.get("spanID").asText());
        }
      }
      Set<String> want = fields.matching(filter);
      if (!want.isEmpty() && want.size() < fields.size()) {
        selective++;
      }
      if (!got.equals(want)) {
        differences.add(filter + ": got=" + got.size() + ", want=" + want.size());
      }
    }
    assertThat(differences).as("seed %d", SEED).isEmpty();
    assertThat(selective).as("filters that tell spans apart").isGreaterThan(FILTERS / 3);
  }
}
