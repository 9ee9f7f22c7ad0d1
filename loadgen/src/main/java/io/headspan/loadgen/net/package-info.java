/// Network namespaces to load across, with loss, duplication and reordering. Starting point:
/// [io.headspan.loadgen.net.LinkedNamespaces].
@NullMarked
package io.headspan.loadgen.net;

import org.jspecify.annotations.NullMarked;
