package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.GlobalFactory;
import com.dylibso.chicory.runtime.GlobalInstance;
import com.dylibso.chicory.runtime.ImportValues;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.Machine;
import com.dylibso.chicory.runtime.TableFactory;
import com.dylibso.chicory.runtime.TableInstance;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.MutabilityType;
import com.dylibso.chicory.wasm.types.Table;
import com.dylibso.chicory.wasm.types.ValType;
import java.util.function.Function;

/// @param module as [ChicoryModule] froze it
/// @param globals the raw value of each
/// @param tables the entries of each
record ChicoryImage<C>(
    WasmModule module,
    Function<Instance, Machine> machineFactory,
    ImportValues imports,
    MemoryImage memory,
    int memoryPagesMax,
    long[] globals,
    int[][] tables)
    implements GuestImage<C> {

  @Override
  public GuestInstance newInstance(C context, PageAllowance allowance) {
    Restore restore = new Restore(globals, tables);
    return new ChicoryInstance(
        Instance.builder(module)
            .withMachineFactory(machineFactory)
            .withImportValues(imports)
            .withStart(false)
            .withMemoryFactory(limits -> PagedMemory.of(context, allowance, memory, memoryPagesMax))
            .withTableFactory(restore)
            .withGlobalFactory(restore)
            .build());
  }

  @Override
  public int initialPages() {
    return memory.wasmPages();
  }

  /// Chicory asks for tables and globals in the order of the module, which is the image's.
  private static final class Restore implements TableFactory, GlobalFactory {
    private final long[] globals;
    private final int[][] tables;
    private int nextGlobal;
    private int nextTable;

    Restore(long[] globals, int[][] tables) {
      this.globals = globals;
      this.tables = tables;
    }

    @Override
    public TableInstance create(Table table, int initialValue) {
      return GuestTable.of(table, tables[nextTable++]);
    }

    @Override
    public GlobalInstance create(
        long value, long highValue, ValType type, MutabilityType mutability) {
      return new GlobalInstance(globals[nextGlobal++], 0, type, mutability);
    }
  }
}
