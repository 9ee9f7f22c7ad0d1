/// Services that speak HTTP/1.1, HTTP/2 and gRPC, a load of all three on them, and what spans there
/// have to be of it.
@NullMarked
package io.headspan.loadgen.mixed;

import org.jspecify.annotations.NullMarked;
