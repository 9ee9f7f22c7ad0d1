/// The store's schema as numbered migrations: SQL files beside this package, applied in order.
@NullMarked
package io.headspan.storage.schema;

import org.jspecify.annotations.NullMarked;
