package io.headspan.launcher.cost;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;

/// What one version of a function used on one day (UTC), as the query API tells it.
///
/// @param memoryBytes of its instances; 0 if nobody told
/// @param billedMs durations of its invocations, each rounded up to whole ms
/// @param billed100Ms likewise to whole tenths of a second, in ms
/// @param instanceMinutes minutes in which an instance served something, of all instances
public record Usage(
    LocalDate day,
    String tenant,
    String team,
    String function,
    String version,
    long memoryBytes,
    long invocations,
    double durationSeconds,
    long billedMs,
    long billed100Ms,
    double cpuSeconds,
    long instanceMinutes,
    long logBytes) {

  /// Reads the answer of `/api/headspan/v1/usage`.
  public static List<Usage> of(JsonNode answer) {
    List<Usage> usage = new ArrayList<>();
    for (JsonNode row : answer.path("usage")) {
      usage.add(
          new Usage(
              LocalDate.parse(row.path("day").asText()),
              row.path("tenant").asText(),
              row.path("team").asText(),
              row.path("service").asText(),
              row.path("version").asText(),
              row.path("memoryBytes").asLong(),
              row.path("invocations").asLong(),
              row.path("durationSeconds").asDouble(),
              row.path("billedMs").asLong(),
              row.path("billed100Ms").asLong(),
              row.path("cpuSeconds").asDouble(),
              row.path("instanceMinutes").asLong(),
              row.path("logBytes").asLong()));
    }
    return usage;
  }
}
