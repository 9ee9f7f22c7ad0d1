/// Certificates and keys in PEM files, followed when they change: [io.headspan.wire.tls.TlsFiles].
@NullMarked
package io.headspan.wire.tls;

import org.jspecify.annotations.NullMarked;
