package io.headspan.wasm.host;

import io.headspan.wasm.engine.HostFunction;
import io.headspan.wasm.engine.HostLibrary;
import java.util.ArrayList;
import java.util.List;

/// Everything that functions may import.
public final class HostFunctions {
  private HostFunctions() {}

  public static HostLibrary<Invocation> library() {
    List<HostFunction<Invocation>> all = new ArrayList<>();
    all.addAll(WasiFunctions.all());
    all.addAll(HeadspanFunctions.all());
    return new HostLibrary<>(all);
  }
}
