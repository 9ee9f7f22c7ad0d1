/// Who may send and ask: the file of tokens that collector and query API read, and what a request
/// shows of itself. Starting point: [io.headspan.wire.access.Tokens].
@NullMarked
package io.headspan.wire.access;

import org.jspecify.annotations.NullMarked;
