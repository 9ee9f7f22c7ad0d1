/// Log records beside traces. Starting point: [io.headspan.query.logs.LogsApi].
@NullMarked
package io.headspan.query.logs;

import org.jspecify.annotations.NullMarked;
