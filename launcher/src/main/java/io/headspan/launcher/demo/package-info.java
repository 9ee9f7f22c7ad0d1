/// `headspan demo`: every role, two containers and a Wasm function, traffic with known contexts,
/// and the proof that each invocation was found once with its right parent. Starting point:
/// [io.headspan.launcher.demo.Demo].
@NullMarked
package io.headspan.launcher.demo;

import org.jspecify.annotations.NullMarked;
