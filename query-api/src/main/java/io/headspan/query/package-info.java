/// The query API: what Grafana and people ask the store through. Starting points:
/// [io.headspan.query.QueryApi] and [io.headspan.query.QueryConfig].
@NullMarked
package io.headspan.query;

import org.jspecify.annotations.NullMarked;
