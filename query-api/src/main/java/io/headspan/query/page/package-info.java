/// The web page, as npm built it from `query-api/web`. Starting point:
/// [io.headspan.query.page.Page].
@NullMarked
package io.headspan.query.page;

import org.jspecify.annotations.NullMarked;
