/// The query API of Jaeger, versions 1 and 3 over HTTP, as Grafana's built-in data source calls it.
/// Starting point: [io.headspan.query.jaeger.JaegerApi].
@NullMarked
package io.headspan.query.jaeger;

import org.jspecify.annotations.NullMarked;
