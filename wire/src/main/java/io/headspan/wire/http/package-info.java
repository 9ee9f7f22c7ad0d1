/// What Headspan's HTTP servers have in common: [io.headspan.wire.http.AcceptLoop].
@NullMarked
package io.headspan.wire.http;

import org.jspecify.annotations.NullMarked;
