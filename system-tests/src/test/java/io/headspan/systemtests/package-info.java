@NullMarked
package io.headspan.systemtests;

import org.jspecify.annotations.NullMarked;
