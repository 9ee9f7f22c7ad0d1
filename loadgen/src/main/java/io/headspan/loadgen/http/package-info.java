/// HTTP/1.1 clients that control what reaches the wire: how a head is cut into segments, and when.
@NullMarked
package io.headspan.loadgen.http;

import org.jspecify.annotations.NullMarked;
