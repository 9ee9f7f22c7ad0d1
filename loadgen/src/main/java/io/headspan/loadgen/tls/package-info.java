/// Certificates made on the spot: [io.headspan.loadgen.tls.MadeAuthority].
@NullMarked
package io.headspan.loadgen.tls;

import org.jspecify.annotations.NullMarked;
