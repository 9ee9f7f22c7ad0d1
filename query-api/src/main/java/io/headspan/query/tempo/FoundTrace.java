package io.headspan.query.tempo;

import io.headspan.query.traceql.Spanset;
import java.util.List;

/// One trace of a search's answer.
///
/// @param traceId 32 hex digits
record FoundTrace(String traceId, TraceSummary summary, List<Spanset> spansets) {}
