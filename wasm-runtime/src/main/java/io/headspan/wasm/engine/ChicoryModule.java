package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.GlobalInstance;
import com.dylibso.chicory.runtime.ImportValues;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.Machine;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.CodeSection;
import com.dylibso.chicory.wasm.types.DataSection;
import com.dylibso.chicory.wasm.types.DataSegment;
import com.dylibso.chicory.wasm.types.Element;
import com.dylibso.chicory.wasm.types.ElementSection;
import com.dylibso.chicory.wasm.types.Export;
import com.dylibso.chicory.wasm.types.ExportSection;
import com.dylibso.chicory.wasm.types.ExternalType;
import com.dylibso.chicory.wasm.types.FunctionBody;
import com.dylibso.chicory.wasm.types.FunctionImport;
import com.dylibso.chicory.wasm.types.FunctionType;
import com.dylibso.chicory.wasm.types.PassiveDataSegment;
import com.dylibso.chicory.wasm.types.PassiveElement;
import com.dylibso.chicory.wasm.types.StartSection;
import com.dylibso.chicory.wasm.types.ValType;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import io.headspan.wasm.module.Signature;
import io.headspan.wasm.module.ValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

final class ChicoryModule<C> implements GuestModule<C> {
  private static final Map<ValType, ValueType> NUMBER_TYPES =
      Map.of(
          ValType.I32, ValueType.I32,
          ValType.I64, ValueType.I64,
          ValType.F32, ValueType.F32,
          ValType.F64, ValueType.F64);

  private final WasmModule module;
  private final Optional<StartSection> start;
  private final Function<Instance, Machine> machineFactory;
  private final ImportValues imports;
  private final int memoryPagesMax;

  /// @param module without its start section, see [#withoutStart]
  ChicoryModule(
      WasmModule module,
      Optional<StartSection> start,
      Function<Instance, Machine> machineFactory,
      ImportValues imports,
      int memoryPagesMax) {
    this.module = module;
    this.start = start;
    this.machineFactory = machineFactory;
    this.imports = imports;
    this.memoryPagesMax = memoryPagesMax;
  }

  /// The same module, but an instance of it does not run the start function by itself.
  static WasmModule withoutStart(WasmModule module) {
    WasmModule.Builder builder = copyOf(module).setCodeSection(module.codeSection());
    builder.setExportSection(module.exportSection()).setElementSection(module.elementSection());
    return builder.setDataSection(module.dataSection()).build();
  }

  @Override
  public Optional<ExportedFunction> function(String name) {
    ExportSection exports = module.exportSection();
    for (int i = 0; i < exports.exportCount(); i++) {
      Export export = exports.getExport(i);
      if (export.name().equals(name) && export.exportType() == ExternalType.FUNCTION) {
        return signature(export.index()).map(s -> new ExportedFunction(name, export.index(), s));
      }
    }
    return Optional.empty();
  }

  @Override
  public GuestImage<C> initialise(
      C context, Optional<ExportedFunction> initialiser, PageAllowance allowance) {
    try {
      Instance first =
          Instance.builder(module)
              .withMachineFactory(machineFactory)
              .withImportValues(imports)
              .withStart(false)
              .withMemoryFactory(limits ->
                  PagedMemory.empty(context, allowance, limits.initialPages(), memoryPagesMax))
              .withTableFactory(GuestTable::filled)
              .build();
      ChicoryInstance instance = new ChicoryInstance(first);
      start.ifPresent(s -> instance.call((int) s.startIndex()));
      initialiser.ifPresent(instance::call);
      return freeze(first);
    } catch (GuestExit e) {
      throw failed("it exited with code " + e.code(), e);
    } catch (GuestTrap e) {
      throw failed(e.kind().label() + ", " + e.getMessage(), e);
    } catch (RuntimeException | StackOverflowError e) {
      GuestTrap trap = Traps.translate(e);
      throw failed(trap.kind().label() + ", " + trap.getMessage(), e);
    }
  }

  private static ModuleException failed(String reason, Throwable cause) {
    return new ModuleException(
        ModuleProblem.INITIALISATION_FAILED,
        "the module's start function, _initialize or data failed before any request: " + reason,
        cause);
  }

  private GuestImage<C> freeze(Instance first) {
    MemoryImage memory = ((PagedMemory) first.memory()).freeze();
    int tableCount = module.tableSection().tableCount();
    int[][] tables = new int[tableCount][];
    for (int i = 0; i < tableCount; i++) {
      tables[i] = ((GuestTable) first.table(i)).freeze();
    }
    long[] globals = new long[first.globalCount()];
    for (int i = 0; i < globals.length; i++) {
      GlobalInstance global = first.global(i);
      globals[i] = global.getValue();
    }
    return new ChicoryImage<>(
        frozenModule(first), machineFactory, imports, memory, memoryPagesMax, globals, tables);
  }

  /// The module as its clones need it: segments that were copied or dropped already are empty, as
  /// the specification has it after instantiation, and the instructions, which live on as bytecode,
  /// are let go of. They take a hundred times the space of the binary.
  private WasmModule frozenModule(Instance first) {
    CodeSection.Builder code = CodeSection.builder();
    FunctionBody none = new FunctionBody(List.of(), List.of());
    for (int i = 0; i < module.codeSection().functionBodyCount(); i++) {
      code.addFunctionBody(none);
    }
    ElementSection.Builder elements = ElementSection.builder();
    for (int i = 0; i < module.elementSection().elementCount(); i++) {
      Element declared = module.elementSection().getElement(i);
      boolean isLeft = first.element(i) instanceof PassiveElement;
      elements.addElement(isLeft ? declared : new PassiveElement(declared.type(), List.of()));
    }
    DataSection.Builder data = DataSection.builder();
    for (int i = 0; i < module.dataSection().dataSegmentCount(); i++) {
      DataSegment declared = module.dataSection().getDataSegment(i);
      boolean isLeft =
          declared instanceof PassiveDataSegment && first.dataSegmentData(i).length > 0;
      data.addDataSegment(isLeft ? declared : PassiveDataSegment.EMPTY);
    }
    return copyOf(module)
        .setCodeSection(code.build())
        .setElementSection(elements.build())
        .setDataSection(data.build())
        .build();
  }

  /// Everything but start, exports, code, elements and data.
  private static WasmModule.Builder copyOf(WasmModule module) {
    WasmModule.Builder builder =
        WasmModule.builder()
            .withValidation(false)
            .setTypeSection(module.typeSection())
            .setImportSection(module.importSection())
            .setFunctionSection(module.functionSection())
            .setTableSection(module.tableSection())
            .setGlobalSection(module.globalSection());
    module.memorySection().ifPresent(builder::setMemorySection);
    module.tagSection().ifPresent(builder::setTagSection);
    return builder;
  }

  private Optional<Signature> signature(int function) {
    int imported = module.importSection().count(ExternalType.FUNCTION);
    int type;
    if (function < imported) {
      type =
          module.importSection().stream()
              .filter(FunctionImport.class::isInstance)
              .map(FunctionImport.class::cast)
              .skip(function)
              .findFirst()
              .orElseThrow()
              .typeIndex();
    } else {
      type = module.functionSection().getFunctionType(function - imported);
    }
    FunctionType functionType = module.typeSection().getType(type);
    return numbers(functionType.params())
        .flatMap(p -> numbers(functionType.returns()).map(r -> new Signature(p, r)));
  }

  /// Empty if a type is not a number: the executor has no use for such a function.
  private static Optional<List<ValueType>> numbers(List<ValType> types) {
    List<ValueType> numbers = new ArrayList<>();
    for (ValType type : types) {
      ValueType number = NUMBER_TYPES.get(type);
      if (number == null) {
        return Optional.empty();
      }
      numbers.add(number);
    }
    return Optional.of(numbers);
  }
}
