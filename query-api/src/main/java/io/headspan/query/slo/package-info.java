/// Service level objectives of functions, and the alerts that watch them. Starting points:
/// [io.headspan.query.slo.Objectives] and [io.headspan.query.slo.BurnRateAlerts].
@NullMarked
package io.headspan.query.slo;

import org.jspecify.annotations.NullMarked;
