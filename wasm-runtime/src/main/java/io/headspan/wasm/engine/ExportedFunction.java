package io.headspan.wasm.engine;

import io.headspan.wasm.module.Signature;

/// A function that a module exports.
///
/// @param index its place in the module's function index space
public record ExportedFunction(String name, int index, Signature signature) {}
