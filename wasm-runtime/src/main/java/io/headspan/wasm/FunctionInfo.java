package io.headspan.wasm;

import java.time.Duration;

/// A deployed function as the executor tells about it.
///
/// @param kind `command` or `reactor`
/// @param sha256 of the module, in hex
/// @param memoryPages the most memory of an instance, in pages of 64 KiB
/// @param deployTime how long it took to validate, compile and initialise
public record FunctionInfo(
    FunctionName function,
    String version,
    String kind,
    String sha256,
    int moduleBytes,
    Duration deadline,
    int memoryPages,
    Duration deployTime) {}
