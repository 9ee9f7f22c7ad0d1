/// Who may ask what: tokens, rates and the log of what was asked. Starting point:
/// [io.headspan.query.access.Access].
@NullMarked
package io.headspan.query.access;

import org.jspecify.annotations.NullMarked;
