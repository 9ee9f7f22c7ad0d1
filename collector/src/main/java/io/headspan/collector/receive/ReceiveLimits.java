package io.headspan.collector.receive;

import java.time.Duration;

/// What one sender may ask of the collector.
///
/// @param messageBytes the largest message, on the wire and expanded
/// @param streamBytes memory of one OTel-Arrow stream, for its dictionaries and the batch being
///   decoded
/// @param streamBatches batches of one OTel-Arrow stream that are decoded and not answered yet
/// @param admissionTimeout how long an OTLP request waits for its turn while too much is in flight
public record ReceiveLimits(
    int messageBytes, long streamBytes, int streamBatches, Duration admissionTimeout) {}
