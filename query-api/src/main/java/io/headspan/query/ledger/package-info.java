/// What became of spans that are not in an answer.
@NullMarked
package io.headspan.query.ledger;

import org.jspecify.annotations.NullMarked;
