/// What functions cost, under one or several price models, and whether teams keep their budgets.
/// Starting point: [io.headspan.launcher.cost.PriceTable].
@NullMarked
package io.headspan.launcher.cost;

import org.jspecify.annotations.NullMarked;
