/// TraceQL: text to a typed syntax tree, the tree to ClickHouse SQL with bound parameters. Starting
/// points: [io.headspan.query.traceql.TraceQl#parse] and [io.headspan.query.traceql.SearchPlanner].
@NullMarked
package io.headspan.query.traceql;

import org.jspecify.annotations.NullMarked;
