/// What was decided about traces.
@NullMarked
package io.headspan.query.sampling;

import org.jspecify.annotations.NullMarked;
