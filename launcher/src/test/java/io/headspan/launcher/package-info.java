@NullMarked
package io.headspan.launcher;

import org.jspecify.annotations.NullMarked;
