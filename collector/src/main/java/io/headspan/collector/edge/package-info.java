/// What is asked of a batch before it may go in: who sent it ([io.headspan.collector.edge.Senders])
/// and whether that sender may say what the batch says ([io.headspan.collector.edge.Admission]).
@NullMarked
package io.headspan.collector.edge;

import org.jspecify.annotations.NullMarked;
