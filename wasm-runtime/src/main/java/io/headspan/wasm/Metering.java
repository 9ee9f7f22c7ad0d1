package io.headspan.wasm;

/// What one invocation used.
///
/// @param wasRun whether a guest ran at all; if not, the rest is 0
/// @param queueNs from its arrival until a thread took it
/// @param wallNs from then until its end
/// @param cpuNs processor time of the thread in that time
/// @param peakPages its memory at the end, in pages of 64 KiB; memory never shrinks
/// @param writtenBytes the part of it that was written, in steps of 4 KiB
/// @param hostCalls how often it called the host
record Metering(
    boolean wasRun,
    long queueNs,
    long wallNs,
    long cpuNs,
    int peakPages,
    long writtenBytes,
    long hostCalls) {
  static final Metering NOT_RUN = new Metering(false, 0, 0, 0, 0, 0, 0);
}
