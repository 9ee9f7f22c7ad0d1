/// WebAssembly binaries as bytes: [io.headspan.wasm.module.ModuleBuilder] writes one,
/// [io.headspan.wasm.module.ModuleHeader] checks an untrusted one's outline before an engine reads
/// it. No engine types here.
@NullMarked
package io.headspan.wasm.module;

import org.jspecify.annotations.NullMarked;
