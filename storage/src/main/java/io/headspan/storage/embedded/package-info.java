/// The embedded engine: ClickHouse as a library (libchdb) behind ClickHouse's own HTTP protocol.
///
/// Starting points: [io.headspan.storage.embedded.EmbeddedStore] serves one data directory in this
/// process, [io.headspan.storage.embedded.StoreProcess] does so in a process of its own, and
/// [io.headspan.storage.embedded.StoreMain] is that process's main. `LibChdb` holds the only calls
/// into the library.
@NullMarked
package io.headspan.storage.embedded;

import org.jspecify.annotations.NullMarked;
