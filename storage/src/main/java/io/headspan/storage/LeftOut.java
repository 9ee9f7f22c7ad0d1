package io.headspan.storage;

/// Spans, log records or data points that a collector left out of a batch that it acknowledged.
///
/// @param timeNs when, ns since the Unix epoch
/// @param collector which
/// @param sender name of the token that the batch came with, "" for none
/// @param tenant "" for none
/// @param signal `traces`, `logs` or `metrics`
/// @param reason why, such as `rate_limited`
/// @param records how many
public record LeftOut(
    long timeNs,
    String collector,
    String sender,
    String tenant,
    String signal,
    String reason,
    long records) {}
