package io.headspan.wasm;

import io.headspan.wasm.engine.GuestImage;
import io.headspan.wasm.host.FunctionKind;
import io.headspan.wasm.host.Invocation;

/// A function that can be invoked. Immutable; a new version is another one.
record DeployedFunction(
    FunctionInfo info, FunctionKind kind, GuestImage<Invocation> image, FunctionMetrics metrics) {}
