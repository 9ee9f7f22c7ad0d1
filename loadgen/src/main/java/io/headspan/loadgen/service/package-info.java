/// The small HTTP service that runs inside the containers. It needs nothing but the JDK, so a
/// container needs nothing but the JDK and this module's classes.
@NullMarked
package io.headspan.loadgen.service;

import org.jspecify.annotations.NullMarked;
