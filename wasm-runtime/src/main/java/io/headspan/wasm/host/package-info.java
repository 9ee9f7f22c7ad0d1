/// What a function sees of the world: the request, the response, and the host functions that it may
/// import. Written against the engine's interfaces, never its types.
///
/// Starting points: [io.headspan.wasm.host.FunctionKind], the two shapes a function can have;
/// [io.headspan.wasm.host.Invocation], one run; [io.headspan.wasm.host.HostFunctions], everything
/// that can be imported. For function authors: `docs/wasm-functions.md`.
@NullMarked
package io.headspan.wasm.host;

import org.jspecify.annotations.NullMarked;
