@NullMarked
package io.headspan.launcher.demo;

import org.jspecify.annotations.NullMarked;
