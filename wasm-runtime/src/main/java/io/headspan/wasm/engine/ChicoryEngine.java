package io.headspan.wasm.engine;

import com.dylibso.chicory.compiler.InterpreterFallback;
import com.dylibso.chicory.compiler.MachineFactoryCompiler;
import com.dylibso.chicory.runtime.CompiledModule;
import com.dylibso.chicory.runtime.HostFunction;
import com.dylibso.chicory.runtime.ImportFunction;
import com.dylibso.chicory.runtime.ImportValues;
import com.dylibso.chicory.wasm.ChicoryException;
import com.dylibso.chicory.wasm.Parser;
import com.dylibso.chicory.wasm.Version;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.Export;
import com.dylibso.chicory.wasm.types.ExternalType;
import com.dylibso.chicory.wasm.types.FunctionImport;
import com.dylibso.chicory.wasm.types.FunctionType;
import com.dylibso.chicory.wasm.types.Import;
import com.dylibso.chicory.wasm.types.Instruction;
import com.dylibso.chicory.wasm.types.MemoryLimits;
import com.dylibso.chicory.wasm.types.OpCode;
import com.dylibso.chicory.wasm.types.ValType;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleHeader;
import io.headspan.wasm.module.ModuleProblem;
import io.headspan.wasm.module.Signature;
import io.headspan.wasm.module.ValueType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Runs guests on Chicory, compiled to JVM bytecode; nothing is ever interpreted.
///
/// Compiling treats the module as hostile: what the engine throws on it, whatever it is, becomes a
/// [ModuleException], and what would make instances expensive (a million globals) or let a guest
/// take memory that nobody counts (garbage-collected objects) is refused.
public final class ChicoryEngine implements WasmEngine {
  private static final String SIMD = "SIMD instructions; build without -msimd128 or +simd128";
  private static final String GC =
      "garbage-collected types, whose memory could not be limited; build without them";
  private static final Pattern SIMD_NAME = Pattern.compile("V128_.*|[IF]\\d+X\\d+_.*");
  private static final Pattern GC_NAME =
      Pattern.compile("STRUCT_.*|ARRAY_.*|REF_I31|I31_.*|ANY_CONVERT_.*|EXTERN_CONVERT_.*");
  private static final Map<OpCode, String> REFUSED = refusedInstructions();

  @Override
  public String version() {
    return "chicory " + Version.version();
  }

  @Override
  public <C> GuestModule<C> compile(byte[] binary, HostLibrary<C> library, ModuleLimits limits) {
    ModuleHeader.check(binary);
    try {
      WasmModule module = Parser.parse(binary);
      int memoryPagesMax = checkMemory(module, limits);
      checkSize(module);
      checkInstructions(module);
      checkExports(module);
      ImportValues imports = link(module, library);
      WasmModule startless = ChicoryModule.withoutStart(module);
      var factory =
          (CompiledModule)
              MachineFactoryCompiler.builder(startless)
                  .withInterpreterFallback(InterpreterFallback.FAIL)
                  .compile();
      return new ChicoryModule<>(
          startless, module.startSection(), factory.machineFactory(), imports, memoryPagesMax);
    } catch (ModuleException e) {
      throw e;
    } catch (ChicoryException e) {
      if (String.valueOf(e.getMessage()).contains("size exceeds the Java method size")) {
        throw new ModuleException(
            ModuleProblem.TOO_COMPLEX,
            "a function is too large for JVM bytecode; split it, or build with less inlining: "
                + e.getMessage(),
            e);
      }
      throw new ModuleException(
          ModuleProblem.MALFORMED, "not a valid module: " + e.getMessage(), e);
    } catch (StackOverflowError e) {
      throw new ModuleException(
          ModuleProblem.TOO_COMPLEX, "the module nests blocks too deeply to be compiled", e);
    } catch (OutOfMemoryError e) {
      throw new ModuleException(
          ModuleProblem.TOO_COMPLEX, "the module takes too much memory to be compiled", e);
    } catch (LinkageError e) {
      throw new ModuleException(
          ModuleProblem.TOO_COMPLEX, "the compiled module is refused by the JVM: " + e, e);
    } catch (RuntimeException | AssertionError e) {
      // The parser asserts some of what the validator would find later.
      throw new ModuleException(ModuleProblem.MALFORMED, "not a readable module: " + e, e);
    }
  }

  private static int checkMemory(WasmModule module, ModuleLimits limits) {
    int count = module.memorySection().map(s -> s.memoryCount()).orElse(0);
    if (count == 0) {
      throw new ModuleException(
          ModuleProblem.NO_MEMORY,
          "the module has no memory to exchange requests and responses in; declare one (it must not"
              + " be imported)");
    }
    if (count > 1) {
      throw new ModuleException(
          ModuleProblem.UNSUPPORTED_FEATURE,
          "the module has more than one memory: memories=" + count + ", supported=1");
    }
    MemoryLimits declared = module.memorySection().orElseThrow().getMemory(0).limits();
    if (declared.shared()) {
      throw new ModuleException(
          ModuleProblem.UNSUPPORTED_FEATURE,
          "the module's memory is shared between threads, which guests do not have; build without"
              + " threads");
    }
    if (declared.initialPages() > limits.memoryPages()) {
      throw new ModuleException(
          ModuleProblem.MEMORY_TOO_LARGE,
          "the module starts with more memory than its limit: initialPages="
              + declared.initialPages()
              + ", limitPages="
              + limits.memoryPages()
              + "; raise the function's limit or build it with a smaller initial memory");
    }
    return Math.min(declared.maximumPages(), limits.memoryPages());
  }

  private static void checkSize(WasmModule module) {
    atMost("imports", module.importSection().importCount(), ModuleLimits.IMPORTS_MAX);
    atMost(
        "types times functions",
        (long) module.typeSection().subTypeCount() * module.functionSection().functionCount(),
        ModuleLimits.TYPES_TIMES_FUNCTIONS_MAX);
    atMost("data segments", module.dataSection().dataSegmentCount(), ModuleLimits.SEGMENTS_MAX);
    atMost("element segments", module.elementSection().elementCount(), ModuleLimits.SEGMENTS_MAX);
    atMost("globals", module.globalSection().globalCount(), ModuleLimits.GLOBALS_MAX);
    int tables = module.tableSection().tableCount();
    atMost("tables", tables, ModuleLimits.TABLES_MAX);
    long entries = 0;
    for (int i = 0; i < tables; i++) {
      entries += module.tableSection().getTable(i).limits().min();
    }
    atMost("table entries", entries, ModuleLimits.TABLE_ENTRIES_MAX);
  }

  private static void atMost(String what, long count, long limit) {
    if (count > limit) {
      throw new ModuleException(
          ModuleProblem.TOO_COMPLEX, "too many " + what + ": count=" + count + ", limit=" + limit);
    }
  }

  private static void checkInstructions(WasmModule module) {
    for (int i = 0; i < module.typeSection().subTypeCount(); i++) {
      if (module.typeSection().getSubType(i).compType().funcType() == null) {
        throw refused(GC);
      }
    }
    for (int i = 0; i < module.codeSection().functionBodyCount(); i++) {
      for (Instruction instruction : module.codeSection().getFunctionBody(i).instructions()) {
        String reason = REFUSED.get(instruction.opcode());
        if (reason != null) {
          throw refused(reason);
        }
      }
    }
  }

  /// Chicory looks at exports only when it makes an instance.
  private static void checkExports(WasmModule module) {
    int functions =
        module.importSection().count(ExternalType.FUNCTION)
            + module.functionSection().functionCount();
    for (int i = 0; i < module.exportSection().exportCount(); i++) {
      Export export = module.exportSection().getExport(i);
      if (export.exportType() == ExternalType.FUNCTION && export.index() >= functions) {
        throw new ModuleException(
            ModuleProblem.MALFORMED,
            "not a valid module: an export names a function that is not there: export="
                + export.name()
                + ", index="
                + export.index()
                + ", functions="
                + functions);
      }
    }
  }

  private static ModuleException refused(String feature) {
    return new ModuleException(ModuleProblem.UNSUPPORTED_FEATURE, "the module uses " + feature);
  }

  private static Map<OpCode, String> refusedInstructions() {
    Map<OpCode, String> refused = new EnumMap<>(OpCode.class);
    for (OpCode code : OpCode.values()) {
      if (SIMD_NAME.matcher(code.name()).matches()) {
        refused.put(code, SIMD);
      } else if (GC_NAME.matcher(code.name()).matches()) {
        refused.put(code, GC);
      }
    }
    return refused;
  }

  private static <C> ImportValues link(WasmModule module, HostLibrary<C> library) {
    List<ImportFunction> functions = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (int i = 0; i < module.importSection().importCount(); i++) {
      Import wanted = module.importSection().getImport(i);
      String name = wanted.module() + "." + wanted.name();
      if (wanted.importType() != ExternalType.FUNCTION) {
        problems.add(name + " (a " + wanted.importType() + "; only functions can be imported)");
        continue;
      }
      var offered = library.find(wanted.module(), wanted.name());
      if (offered.isEmpty()) {
        problems.add(name);
        continue;
      }
      FunctionType wantedType = module.typeSection().getType(((FunctionImport) wanted).typeIndex());
      FunctionType offeredType = functionType(offered.get().signature());
      if (!wantedType.equals(offeredType)) {
        problems.add(name + " (as " + wantedType + ", offered is " + offeredType + ")");
        continue;
      }
      functions.add(hostFunction(offered.get(), offeredType));
    }
    if (!problems.isEmpty()) {
      throw new ModuleException(
          ModuleProblem.FORBIDDEN_IMPORT,
          "the module imports what functions are not given: "
              + String.join(", ", problems)
              + "; offered are the functions of "
              + library.modules());
    }
    return ImportValues.builder().addFunction(functions.toArray(new ImportFunction[0])).build();
  }

  private static <C> ImportFunction hostFunction(
      io.headspan.wasm.engine.HostFunction<C> function, FunctionType type) {
    var body = function.body();
    boolean hasResult = !type.returns().isEmpty();
    return new HostFunction(
        function.module(),
        function.name(),
        type,
        (instance, arguments) -> {
          PagedMemory memory = (PagedMemory) instance.memory();
          // The memory of an instance carries the context that the instance was made with.
          @SuppressWarnings("unchecked")
          C context = (C) memory.context();
          long result = body.call(context, memory, arguments);
          return hasResult ? new long[] {result} : NO_RESULT;
        });
  }

  private static final long[] NO_RESULT = {};

  private static FunctionType functionType(Signature signature) {
    return FunctionType.of(
        signature.parameters().stream().map(ChicoryEngine::valType).toList(),
        signature.results().stream().map(ChicoryEngine::valType).toList());
  }

  private static ValType valType(ValueType type) {
    return switch (type) {
      case I32 -> ValType.I32;
      case I64 -> ValType.I64;
      case F32 -> ValType.F32;
      case F64 -> ValType.F64;
    };
  }
}
