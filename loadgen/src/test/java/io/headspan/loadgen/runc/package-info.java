@NullMarked
package io.headspan.loadgen.runc;

import org.jspecify.annotations.NullMarked;
