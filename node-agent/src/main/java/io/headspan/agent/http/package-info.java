/// What the first bytes of an HTTP/1.1 request say, and nothing that must not be kept. Starting
/// point: [io.headspan.agent.http.RequestHead#parse].
@NullMarked
package io.headspan.agent.http;

import org.jspecify.annotations.NullMarked;
