/// The Wasm executor: deploys WebAssembly modules as functions and runs them by HTTP, each
/// invocation in an instance of its own.
///
/// Starting points: [io.headspan.wasm.WasmExecutor], [io.headspan.wasm.WasmConfig]. The way of an
/// invocation: `FunctionService` (HTTP) → `GuestWorkers` (admission, queue, threads) →
/// `InvocationTask` (deadline, metering) → `.host` (what the guest sees) → `.engine`.
@NullMarked
package io.headspan.wasm;

import org.jspecify.annotations.NullMarked;
