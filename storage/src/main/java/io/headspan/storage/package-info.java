/// The store of traces: ClickHouse, reached over its HTTP protocol with its own Java client.
///
/// Starting points: [io.headspan.storage.SpanStore] writes and reads spans,
/// [io.headspan.storage.StoreAddress] says where. No type of the ClickHouse clients leaves this
/// package.
@NullMarked
package io.headspan.storage;

import org.jspecify.annotations.NullMarked;
