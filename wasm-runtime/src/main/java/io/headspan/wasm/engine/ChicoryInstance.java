package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.Instance;

final class ChicoryInstance implements GuestInstance {
  private static final long[] NO_ARGUMENTS = {};

  private final Instance instance;

  ChicoryInstance(Instance instance) {
    this.instance = instance;
  }

  @Override
  public long call(ExportedFunction function, long... arguments) {
    return call(function.index(), arguments);
  }

  long call(int function) {
    return call(function, NO_ARGUMENTS);
  }

  @Override
  public GuestMemory memory() {
    return (PagedMemory) instance.memory();
  }

  private long call(int function, long[] arguments) {
    long[] results;
    try {
      results = instance.getMachine().call(function, arguments);
    } catch (GuestStop e) {
      throw e;
    } catch (RuntimeException | StackOverflowError | OutOfMemoryError | LinkageError e) {
      throw Traps.translate(e);
    }
    return results == null || results.length == 0 ? 0 : results[0];
  }
}
