package io.headspan.agent.export;

import java.time.Duration;

/// Where batches go and how they are held until then.
///
/// @param collectorHost host of the collector
/// @param collectorPort its gRPC port
/// @param agentId names the agent over restarts
/// @param bootId names this start of it: sequence numbers count from 1
/// @param queueBytesMax most memory for batches that are not acknowledged
/// @param queueBatchesMax most batches that are not acknowledged
/// @param inFlightMax most batches sent and not acknowledged
/// @param acknowledgeTimeout after this time without an answer the stream counts as broken
/// @param spoolAfter when the collector has not acknowledged anything for so long, all is spooled
/// @param compressed whether messages are compressed with zstd
public record ExportSettings(
    String collectorHost,
    int collectorPort,
    String agentId,
    String bootId,
    long queueBytesMax,
    int queueBatchesMax,
    int inFlightMax,
    Duration acknowledgeTimeout,
    Duration spoolAfter,
    boolean compressed) {}
