package io.headspan.agent.identity;

import java.util.List;
import java.util.Map;

/// What `/proc` says about a process.
///
/// @param executable absolute path
/// @param arguments of its command line, the first being its name
/// @param environment only if it counts, else empty
record ProcessFacts(
    ProcessId process, String executable, List<String> arguments, Map<String, String> environment) {
  String executableName() {
    return executable.substring(executable.lastIndexOf('/') + 1);
  }

  String commandLine() {
    return String.join(" ", arguments);
  }

  /// Whether it serves WebAssembly over HTTP, as far as its program tells.
  boolean servesWasm() {
    return switch (executableName()) {
      // The command line tool does much else.
      case "wasmtime" -> arguments.contains("serve");
      case "spin" -> arguments.contains("up") || arguments.contains("trigger");
      case "wasmedge", "wasmedge-tensorflow", "wasmer", "wws", "wasmcloud", "wash" -> true;
      // runwasi's shims run the guest in a child of the same program.
      case String name ->
          name.matches("containerd-shim-(?:spin|wasmtime|wasmedge|wasmer|wws)-v\\d+");
    };
  }
}
