package io.headspan.query.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RandomTraces;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.storage.Decision;
import io.headspan.storage.SqlQuery;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Decisions that a sampler wrote down, as they come out again: counts, and for how much they
/// stand.
class SamplingApiIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long AT_S = 1_795_215_000;
  private static final String RANGE = "?from=" + (AT_S - 60) + "&to=" + (AT_S + 60);
  private static final String ERROR = "00000000000000000000000000000001";

  @TempDir static Path directory;

  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    api = RunningApi.start(directory, new RandomTraces(1).next(1, AT_S * 1_000_000_000));
    api.forgetDecisions();
    // Ten failures, of which two were slow too; 100 others, of which every fourth was kept; one
    // that
    // was dropped first and kept by hand after; one whose rate nobody knows.
    for (int i = 1; i <= 10; i++) {
      decide(i, 0, true, i <= 2 ? "'errors','slow'" : "'errors'", 0, 5);
    }
    for (int i = 11; i <= 110; i++) {
      boolean kept = i % 4 == 0;
      decide(i, 0, kept, kept ? "'rest'" : "", kept ? Decision.LIMIT / 4 * 3 : 0, 3);
    }
    decide(111, 0, false, "", 0, 7);
    decide(111, 1, true, "'by hand'", Decision.PINNED, 7);
    decide(112, 0, true, "'budget'", Decision.UNKNOWN, 2);
    // Long before.
    execute(
        "INSERT INTO decisions (batch, decided, trace_id, kept, policies, rows) VALUES (%1$d, %1$d, unhex('%2$032x'), 1, ['errors'], 9)"
            .formatted((AT_S - 600) * 1_000, 999));
    execute(
        """
        INSERT INTO sampling_ledger (window, closed, tenant, state, spans) VALUES \
        (%1$d, %1$d000, 'acme', 'kept', 60), (%1$d, %1$d000, 'acme', 'sampled_out', 240), \
        (%1$d, %1$d000, 'bravo', 'kept', 40), (%1$d, %1$d000, 'bravo', 'recent_overrun', 4), \
        (%2$d, %2$d000, 'acme', 'kept', 1000)\
        """
            .formatted(AT_S, AT_S - 600));
  }

  @AfterAll
  static void stop() {
    api.close();
  }

  private static void decide(
      int trace, int later, boolean kept, String policies, long threshold, int spans) {
    execute(
        "INSERT INTO decisions (batch, decided, trace_id, kept, policies, threshold, rows) VALUES (%d, %d, unhex('%032x'), %b, [%s], %s, %d)"
            .formatted(
                AT_S * 1_000 + later,
                AT_S * 1_000,
                trace,
                kept,
                policies,
                Long.toUnsignedString(threshold),
                spans));
  }

  private static void execute(String sql) {
    api.store().query(SqlQuery.of(sql), row -> row.text(0));
  }

  private static JsonNode json(String path) throws Exception {
    HttpResponse<byte[]> response = api.get("/api/headspan/v1/" + path, "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return JSON.readTree(response.body());
  }

  @Test
  void countsWhatEachPolicyKept() throws Exception {
    JsonNode sampling = json("sampling" + RANGE);
    assertThat(sampling.get("decided").asInt()).isEqualTo(112);
    assertThat(sampling.get("kept").asInt()).isEqualTo(10 + 25 + 1 + 1);
    assertThat(sampling.get("policies").toString())
        .isEqualTo(
            "[{\"policy\":\"rest\",\"traces\":25,\"spans\":75,\"standFor\":100.0},"
                + "{\"policy\":\"errors\",\"traces\":10,\"spans\":50,\"standFor\":10.0},"
                + "{\"policy\":\"slow\",\"traces\":2,\"spans\":10,\"standFor\":2.0},"
                + "{\"policy\":\"budget\",\"traces\":1,\"spans\":2,\"standFor\":1.0},"
                + "{\"policy\":\"by hand\",\"traces\":1,\"spans\":7,\"standFor\":0.0}]");
  }

  @Test
  void saysWhatBecameOfTheSpansOfEachTenant() throws Exception {
    assertThat(json("sampling" + RANGE).get("tenants").toString())
        .isEqualTo(
            "[{\"tenant\":\"acme\",\"keptSpans\":60,\"sampledOutSpans\":240,\"overrunSpans\":0},"
                + "{\"tenant\":\"bravo\",\"keptSpans\":40,\"sampledOutSpans\":0,\"overrunSpans\":4}]");
  }

  @Test
  void saysWhyATraceWasKept() throws Exception {
    JsonNode made = json("traces/" + ERROR + "/decisions").get("decisions");
    assertThat(made).hasSize(1);
    assertThat(made.get(0).get("kept").asBoolean()).isTrue();
    assertThat(made.get(0).get("probability").asDouble()).isEqualTo(1);
    assertThat(made.get(0).get("policies").toString()).isEqualTo("[\"errors\",\"slow\"]");
    assertThat(json("traces/c/decisions").get("decisions").get(0).get("probability").asDouble())
        .isEqualTo(0.25);
    JsonNode byHand = json("traces/6f/decisions").get("decisions");
    assertThat(byHand).hasSize(2);
    assertThat(byHand.get(0).get("kept").asBoolean()).isTrue();
    assertThat(byHand.get(0).get("probability").isNull()).isTrue();
    assertThat(byHand.get(1).get("kept").asBoolean()).isFalse();
    assertThat(json("traces/abc123/decisions").get("decisions")).isEmpty();
  }
}
