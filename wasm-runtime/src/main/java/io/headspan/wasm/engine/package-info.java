/// Running guests. The interfaces here ([io.headspan.wasm.engine.WasmEngine] first) are what the
/// executor sees of an engine; [io.headspan.wasm.engine.ChicoryEngine] is the one there is. This is
/// the only package that uses the engine's own types, so that another engine, or Chicory under its
/// next name, is a change of this package alone.
///
/// From bytes to a result: [io.headspan.wasm.engine.WasmEngine#compile] once per deployment,
/// [io.headspan.wasm.engine.GuestModule#initialise] once, then per invocation
/// [io.headspan.wasm.engine.GuestImage#newInstance] and one or more calls.
@NullMarked
package io.headspan.wasm.engine;

import org.jspecify.annotations.NullMarked;
