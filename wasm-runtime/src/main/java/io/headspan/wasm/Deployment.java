package io.headspan.wasm;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/// What to deploy.
///
/// @param version empty: made from the module's hash
/// @param binary the module; not written to by anyone
/// @param deadline of an invocation; empty for the executor's default
/// @param memoryPages the most memory of an instance, in pages of 64 KiB; empty for the default
public record Deployment(
    FunctionName function,
    Optional<String> version,
    byte[] binary,
    Optional<Duration> deadline,
    OptionalInt memoryPages) {

  /// With the executor's default limits.
  public static Deployment of(String tenant, String name, String version, byte[] binary) {
    return new Deployment(
        new FunctionName(tenant, name),
        Optional.of(version),
        binary,
        Optional.empty(),
        OptionalInt.empty());
  }
}
