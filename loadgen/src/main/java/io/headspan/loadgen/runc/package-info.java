/// Real runc containers to load: a bundle from what the host has, started, and removed without a
/// trace. Starting point: [io.headspan.loadgen.runc.RuncContainer].
@NullMarked
package io.headspan.loadgen.runc;

import org.jspecify.annotations.NullMarked;
