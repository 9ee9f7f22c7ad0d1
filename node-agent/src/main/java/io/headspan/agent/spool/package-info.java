/// Batches on disk, until the collector has acknowledged them: [io.headspan.agent.spool.Spool].
@NullMarked
package io.headspan.agent.spool;

import org.jspecify.annotations.NullMarked;
