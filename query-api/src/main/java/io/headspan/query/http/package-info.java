/// What the APIs have in common: parameters, errors, threads and limits. Starting points:
/// [io.headspan.query.http.QueryThreads] and [io.headspan.query.http.Request].
@NullMarked
package io.headspan.query.http;

import org.jspecify.annotations.NullMarked;
