package io.headspan.collector.receive;

import io.headspan.collector.edge.Admission;
import io.headspan.collector.edge.Senders;
import io.headspan.collector.ingest.InFlight;
import io.headspan.collector.ingest.Ingest;
import io.headspan.collector.ingest.IngestMetrics;
import java.util.concurrent.Executor;

/// What all receivers of a collector share.
///
/// @param limits what one sender may ask
/// @param inFlight the bound over all senders
/// @param ingest stores what was decoded
/// @param metrics counts
/// @param senders knows who may send
/// @param admission decides what of it is stored
/// @param decoders runs what expands and decodes; never an event loop
public record Reception(
    ReceiveLimits limits,
    InFlight inFlight,
    Ingest ingest,
    IngestMetrics metrics,
    Senders senders,
    Admission admission,
    Executor decoders) {}
