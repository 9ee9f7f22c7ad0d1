package io.headspan.wasm.engine;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/// Everything that guests may import, and nothing else.
///
/// @param <C> what host functions get of the invocation that calls them
public final class HostLibrary<C> {
  private record Name(String module, String name) {}

  private final Map<Name, HostFunction<C>> functions = new LinkedHashMap<>();

  public HostLibrary(List<HostFunction<C>> functions) {
    for (HostFunction<C> function : functions) {
      if (this.functions.put(new Name(function.module(), function.name()), function) != null) {
        throw new IllegalArgumentException(
            "host function given twice: module=" + function.module() + ", name=" + function.name());
      }
    }
  }

  Optional<HostFunction<C>> find(String module, String name) {
    return Optional.ofNullable(functions.get(new Name(module, name)));
  }

  /// The module names, sorted, for messages.
  String modules() {
    TreeSet<String> modules = new TreeSet<>();
    functions.keySet().forEach(name -> modules.add(name.module()));
    return String.join(", ", modules);
  }
}
