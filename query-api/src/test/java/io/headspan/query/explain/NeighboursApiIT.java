package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.query.RunningApi;
import io.headspan.query.TestHttp;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Interference.Cell;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Neighbours from matrices as agents send them: every wait of every watched thread is in them,
/// most of all those behind own load.
class NeighboursApiIT {
  private static final Instant NOON = Instant.parse("2026-11-20T12:00:00Z");
  private static final long MS = 1_000_000;
  private static final int MANY = 150;

  @TempDir static Path directory;
  private static RunningApi api;

  @BeforeAll
  static void start() throws Exception {
    api = RunningApi.start(directory, List.of());
    insert(
        1,
        NOON.plusSeconds(10),
        List.of(
            new Cell("acme", "acme", 500 * MS, 50),
            new Cell("acme", "{idle}", 70 * MS, 700),
            new Cell("acme", "bravo", 20 * MS, 2),
            new Cell("acme", "{kernel}", 5 * MS, 9),
            new Cell("bravo", "acme", 10 * MS, 1),
            new Cell("bravo", "bravo", 900 * MS, 90),
            new Cell("{host}", "{host}", 300 * MS, 30),
            new Cell("{untenanted}", "{idle}", 3 * MS, 3)));
    List<Cell> many = new ArrayList<>();
    for (int i = 0; i < MANY; i++) {
      many.add(new Cell("victim-" + i, "crowd", MS + i, 1));
      many.add(new Cell("sufferer", "culprit-" + i, MS + i, 1));
    }
    insert(2, NOON.plusSeconds(3610), many);
  }

  @AfterAll
  static void stop() {
    if (api != null) {
      api.close();
    }
  }

  private static void insert(int number, Instant end, List<Cell> cells) {
    api.store()
        .insert(
            new NodeReport(
                "agent",
                "boot",
                number,
                "host",
                end.getEpochSecond() * 1_000_000_000L,
                10_000_000_000L,
                new NodeSignal.Interference(cells)),
            "matrix-" + number);
  }

  /// @param begin seconds after noon, of a minute
  private static JsonNode neighbours(int begin, String more) throws Exception {
    HttpResponse<byte[]> response =
        api.get(
            "/api/headspan/v1/neighbours?from=%s&to=%s%s"
                .formatted(NOON.plusSeconds(begin), NOON.plusSeconds(begin + 60), more),
            "application/json");
    assertThat(response.statusCode()).as(TestHttp.text(response)).isEqualTo(200);
    return new ObjectMapper().readTree(response.body());
  }

  private static List<String> pairs(JsonNode answer) {
    List<String> pairs = new ArrayList<>();
    answer
        .get("pairs")
        .forEach(
            pair -> pairs.add(pair.get("victim").asText() + " < " + pair.get("culprit").asText()));
    return pairs;
  }

  @Test
  void areOthersAndNeverTheVictimItselfOrNobody() throws Exception {
    JsonNode answer = neighbours(0, "");
    assertThat(pairs(answer)).containsExactly("acme < bravo", "bravo < acme", "acme < {kernel}");
    assertThat(answer.get("victims").toString())
        .isEqualTo(
            "[{\"tenant\":\"acme\",\"lostMs\":25.0},{\"tenant\":\"bravo\",\"lostMs\":10.0}]");
    assertThat(answer.get("culprits").toString())
        .isEqualTo(
            "[{\"tenant\":\"bravo\",\"takenMs\":20.0},{\"tenant\":\"acme\",\"takenMs\":10.0},"
                + "{\"tenant\":\"{kernel}\",\"takenMs\":5.0}]");
  }

  @Test
  void leaveOwnLoadAndIdleProcessorsApart() throws Exception {
    assertThat(neighbours(0, "").get("apart").toString())
        .isEqualTo(
            "[{\"tenant\":\"acme\",\"ownMs\":500.0,\"idleMs\":70.0},"
                + "{\"tenant\":\"bravo\",\"ownMs\":900.0,\"idleMs\":0.0},"
                + "{\"tenant\":\"{host}\",\"ownMs\":300.0,\"idleMs\":0.0},"
                + "{\"tenant\":\"{untenanted}\",\"ownMs\":0.0,\"idleMs\":3.0}]");
    JsonNode ofAcme = neighbours(0, "&victim=acme");
    assertThat(pairs(ofAcme)).containsExactly("acme < bravo", "acme < {kernel}");
    assertThat(ofAcme.get("apart")).hasSize(1);
    JsonNode byAcme = neighbours(0, "&culprit=acme");
    assertThat(pairs(byAcme)).containsExactly("bravo < acme");
    assertThat(byAcme.get("apart").toString())
        .isEqualTo("[{\"tenant\":\"acme\",\"ownMs\":500.0,\"idleMs\":0.0}]");
  }

  @Test
  void areAddedUpWhetherOrNotThereIsRoomForThePair() throws Exception {
    JsonNode answer = neighbours(3600, "");
    assertThat(answer.get("pairs")).hasSize(100);
    double all = MANY + MANY * (MANY - 1) / 2 / 1e6;
    assertThat(answer.at("/victims/0").toString())
        .isEqualTo("{\"tenant\":\"sufferer\",\"lostMs\":" + all + "}");
    assertThat(answer.at("/culprits/0").toString())
        .isEqualTo("{\"tenant\":\"crowd\",\"takenMs\":" + all + "}");
    assertThat(answer.get("victims")).hasSize(MANY + 1);
    assertThat(answer.get("culprits")).hasSize(MANY + 1);
  }

  @Test
  void areAFigurePerStep() throws Exception {
    assertThat(neighbours(0, "&step=30s").at("/pairs/0/series").toString())
        .isEqualTo("[{\"time\":\"2026-11-20T12:00:00Z\",\"waitMs\":20.0}]");
  }
}
