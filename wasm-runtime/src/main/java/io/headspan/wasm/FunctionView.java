package io.headspan.wasm;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/// A function in answers, as JSON.
@JsonPropertyOrder({
  "tenant",
  "name",
  "version",
  "path",
  "kind",
  "sha256",
  "moduleBytes",
  "deadlineMillis",
  "memoryPages",
  "deployMicros"
})
record FunctionView(
    String tenant,
    String name,
    String version,
    String path,
    String kind,
    String sha256,
    int moduleBytes,
    long deadlineMillis,
    int memoryPages,
    long deployMicros) {

  static FunctionView of(FunctionInfo info) {
    return new FunctionView(
        info.function().tenant(),
        info.function().name(),
        info.version(),
        info.function().path(),
        info.kind(),
        info.sha256(),
        info.moduleBytes(),
        info.deadline().toMillis(),
        info.memoryPages(),
        info.deployTime().toNanos() / 1_000);
  }
}
