/// The API of Grafana Tempo, as Grafana's built-in data source calls it. Starting point:
/// [io.headspan.query.tempo.TempoApi].
@NullMarked
package io.headspan.query.tempo;

import org.jspecify.annotations.NullMarked;
