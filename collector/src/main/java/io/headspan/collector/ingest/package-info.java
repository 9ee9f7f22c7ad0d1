/// From decoded spans to the store: [io.headspan.collector.ingest.Ingest] inserts each sender batch
/// once, under its [io.headspan.collector.ingest.DeduplicationToken];
/// [io.headspan.collector.ingest.InFlight] bounds what is under way;
/// [io.headspan.collector.ingest.StoreMonitor] knows whether the store is there.
@NullMarked
package io.headspan.collector.ingest;

import org.jspecify.annotations.NullMarked;
