package io.headspan.storage;

import io.headspan.wire.SpanBatch;

/// Spans of one trace, in order of start time.
///
/// @param isCut whether the trace may have more than were asked for: these are the earliest
public record TraceSpans(SpanBatch spans, boolean isCut) {}
