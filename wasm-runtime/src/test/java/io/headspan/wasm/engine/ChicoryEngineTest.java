package io.headspan.wasm.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wasm.module.Code;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import io.headspan.wasm.module.Op;
import io.headspan.wasm.module.Signature;
import io.headspan.wasm.module.ValueType;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ChicoryEngineTest {
  @Test
  void runsAnExportAndHostFunctionsSeeTheContext() {
    ModuleBuilder module = new ModuleBuilder();
    int host = module.importFunction("test", "context_length", "i>i");
    module.memory(1, 1);
    module.export("run", "i>i", code -> code.get(0).call(host));
    assertThat(EngineRun.run(module.build(), "run", 100)).isEqualTo(100 + "context".length());
  }

  @Test
  void findsFunctionsWithTheirSignatures() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.memory(1, 1);
    builder.export("run", "il>l", code -> code.get(1));
    GuestModule<String> module = EngineRun.compile(builder.build());
    assertThat(module.function("run").orElseThrow().signature()).isEqualTo(Signature.of("il>l"));
    assertThat(module.function("memory")).isEmpty();
    assertThat(module.function("walk")).isEmpty();
  }

  @Test
  void theStartFunctionRunsOnceForAllInstances() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.memory(1, 1);
    int global = builder.global(ValueType.I64, 5);
    int start =
        builder.function(
            ">",
            code -> {
              code.i32(0).i32(0).i32Load8(0).i32(1).op(Op.I32_ADD).i32Store8(0);
              code.i64(77).globalSet(global);
            });
    builder.export("runs", ">i", code -> code.i32(0).i32Load8(0));
    builder.export("global", ">l", code -> code.globalGet(global));
    builder.start(start);
    byte[] binary = builder.build();
    assertThat(EngineRun.run(binary, "runs")).isEqualTo(1);
    assertThat(EngineRun.run(binary, "global")).isEqualTo(77);
  }

  @Test
  void tablesAreRestoredForEveryInstance() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.memory(1, 1);
    int one = builder.export("one", ">i", code -> code.i32(1));
    int two = builder.export("two", ">i", code -> code.i32(2));
    int type = builder.type(">i");
    builder.export(
        "swap_and_call", ">i", code -> code.i32(0).callIndirect(type).i32(0).tableSetFunction(two));
    builder.table(1, 8, List.of(one));
    GuestModule<String> module = EngineRun.compile(builder.build());
    GuestImage<String> image =
        module.initialise("", Optional.empty(), new PageBudget(1 << 20).open());
    ExportedFunction call = module.function("swap_and_call").orElseThrow();
    for (int i = 0; i < 3; i++) {
      GuestInstance instance = image.newInstance("", new PageBudget(1 << 20).open());
      assertThat(instance.call(call)).isEqualTo(1);
      assertThat(instance.call(call)).isEqualTo(2);
    }
  }

  @Test
  void aTableGrowsToItsLimitOnly() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.memory(1, 1);
    builder.export("grow", "i>i", code -> code.get(0).tableGrow());
    builder.table(1, 10_000_000, List.of());
    byte[] binary = builder.build();
    assertThat(EngineRun.run(binary, "grow", 100)).isEqualTo(1);
    assertThat((int) EngineRun.run(binary, "grow", 9_000_000)).isEqualTo(-1);
    assertThat((int) EngineRun.run(binary, "grow", -1)).isEqualTo(-1);
  }

  @Test
  void injectsTheLimitWhereNoMaximumOrALargerOneIsDeclared() {
    for (ModuleBuilder builder :
        List.of(new ModuleBuilder().memory(1), new ModuleBuilder().memory(1, 65_536))) {
      builder.export("grow", "i>i", code -> code.get(0).memoryGrow());
      byte[] binary = builder.build();
      assertThat(EngineRun.run(binary, "grow", 63)).isEqualTo(1);
      assertThat((int) EngineRun.run(binary, "grow", 64)).isEqualTo(-1);
    }
    ModuleBuilder smaller = new ModuleBuilder().memory(1, 2);
    smaller.export("grow", "i>i", code -> code.get(0).memoryGrow());
    assertThat((int) EngineRun.run(smaller.build(), "grow", 2)).isEqualTo(-1);
  }

  @Test
  void refusesUnusableMemories() {
    assertRefused(new ModuleBuilder().build(), ModuleProblem.NO_MEMORY, "declare one");
    assertRefused(
        new ModuleBuilder().memory(65).build(),
        ModuleProblem.MEMORY_TOO_LARGE,
        "initialPages=65, limitPages=64");
    assertRefused(
        new ModuleBuilder().memory(1).memory(1).build(),
        ModuleProblem.UNSUPPORTED_FEATURE,
        "more than one memory");
    assertRefused(
        new ModuleBuilder().sharedMemory(1, 2).build(),
        ModuleProblem.UNSUPPORTED_FEATURE,
        "shared between threads");
  }

  @Test
  void namesEveryForbiddenImport() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.importFunction("env", "system", "i>i");
    builder.importFunction("test", "context_length", "l>i");
    builder.importFunction("test", "context_length", "i>i");
    builder.importFunction("wasi_snapshot_preview2", "run", ">");
    builder.memory(1, 1);
    assertThatThrownBy(() -> EngineRun.compile(builder.build()))
        .isInstanceOfSatisfying(
            ModuleException.class,
            e -> assertThat(e.problem()).isEqualTo(ModuleProblem.FORBIDDEN_IMPORT))
        .hasMessageContaining("env.system,")
        .hasMessageContaining("test.context_length (as ")
        .hasMessageContaining("wasi_snapshot_preview2.run;")
        .hasMessageContaining("offered are the functions of test");
  }

  @Test
  void refusesImportedMemories() {
    // (module (import "env" "memory" (memory 1)) (memory 1))
    byte[] module = {
      0, 'a', 's', 'm', 1, 0, 0, 0, //
      2, 15, 1, 3, 'e', 'n', 'v', 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0, 1, //
      5, 3, 1, 0, 1
    };
    assertRefused(module, ModuleProblem.FORBIDDEN_IMPORT, "env.memory (a MEMORY");
  }

  @Test
  void refusesWhatCannotBeLimited() {
    // struct type
    byte[] structs = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x5f, 1, 0x7f, 0, 5, 3, 1, 0, 1};
    assertRefused(structs, ModuleProblem.UNSUPPORTED_FEATURE, "garbage-collected");
    // ref.i31 drop
    assertRefused(
        withBody(code -> code.i32(1).raw(0xfb, 0x1c).op(Op.DROP)),
        ModuleProblem.UNSUPPORTED_FEATURE,
        "garbage-collected");
    // v128.const 0 drop
    assertRefused(
        withBody(
            code -> code.raw(0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0).op(Op.DROP)),
        ModuleProblem.UNSUPPORTED_FEATURE,
        "SIMD");
  }

  @Test
  void refusesWhatMakesInstancesOrCompilingExpensive() {
    ModuleBuilder globals = new ModuleBuilder().memory(1, 1);
    for (int i = 0; i <= ModuleLimits.GLOBALS_MAX; i++) {
      globals.global(ValueType.I32, 0);
    }
    assertRefused(globals.build(), ModuleProblem.TOO_COMPLEX, "too many globals: count=4097");

    assertRefused(
        new ModuleBuilder().memory(1, 1).table(9_000_000, 9_000_000, List.of()).build(),
        ModuleProblem.TOO_COMPLEX,
        "too many table entries: count=9000000");

    ModuleBuilder imports = new ModuleBuilder();
    for (int i = 0; i <= ModuleLimits.IMPORTS_MAX; i++) {
      imports.importFunction("test", "context_length", "i>i");
    }
    imports.memory(1, 1);
    assertRefused(imports.build(), ModuleProblem.TOO_COMPLEX, "too many imports: count=129");

    ModuleBuilder segments = new ModuleBuilder().memory(1, 1);
    Collections.nCopies(ModuleLimits.SEGMENTS_MAX + 1, new byte[0]).forEach(segments::passiveData);
    assertRefused(segments.build(), ModuleProblem.TOO_COMPLEX, "too many data segments");
  }

  @Test
  void refusesAFunctionThatIsTooLargeForTheJvm() {
    assertRefused(
        withBody(code -> {
          int local = code.local(ValueType.I32);
          for (int i = 0; i < 20_000; i++) {
            code.get(local).i32(i).op(Op.I32_ADD).set(local);
          }
        }),
        ModuleProblem.TOO_COMPLEX,
        "too large for JVM bytecode");
  }

  @Test
  void deepNestingIsNoRecursionOfTheCompiler() {
    byte[] blocks =
        withBody(code -> {
          for (int i = 0; i < 200_000; i++) {
            code.block();
          }
          for (int i = 0; i < 200_000; i++) {
            code.end();
          }
        });
    byte[] loops =
        withBody(code -> {
          int local = code.local(ValueType.I32);
          for (int i = 0; i < 2_000; i++) {
            code.loop();
          }
          for (int i = 0; i < 2_000; i++) {
            code.get(local).brIf(0).end();
          }
        });
    assertThat(EngineRun.compile(blocks)).isNotNull();
    assertThat(EngineRun.compile(loops)).isNotNull();
  }

  @Test
  void refusesWhatDoesNotValidate() {
    assertRefused(
        withBody(code -> code.op(Op.I32_ADD)), ModuleProblem.MALFORMED, "not a valid module");
    assertRefused(withBody(code -> code.i32(1)), ModuleProblem.MALFORMED, "not a valid module");
    assertRefused(withBody(code -> code.call(99)), ModuleProblem.MALFORMED, "not a valid module");
  }

  @Test
  void saysWhyAnInitialiserFailed() {
    ModuleBuilder traps = new ModuleBuilder().memory(1, 1);
    traps.start(traps.function(">", code -> code.op(Op.UNREACHABLE)));
    assertInitialisationFails(traps.build(), "unreachable");

    ModuleBuilder data = new ModuleBuilder().memory(1, 1).data(65_530, new byte[10]);
    assertInitialisationFails(data.build(), "memory_out_of_bounds");

    ModuleBuilder elements = new ModuleBuilder().memory(1, 1);
    int function = elements.function(">", _ -> {});
    elements.table(1, 1, List.of(function, function));
    assertInitialisationFails(elements.build(), "table_out_of_bounds");
  }

  private static void assertInitialisationFails(byte[] binary, String reason) {
    assertThatThrownBy(() -> EngineRun.image(binary))
        .isInstanceOfSatisfying(
            ModuleException.class,
            e -> assertThat(e.problem()).isEqualTo(ModuleProblem.INITIALISATION_FAILED))
        .hasMessageContaining(reason);
  }

  private static byte[] withBody(Consumer<Code> body) {
    ModuleBuilder builder = new ModuleBuilder().memory(1, 1);
    builder.function(">", body);
    return builder.build();
  }

  private static void assertRefused(byte[] binary, ModuleProblem problem, String message) {
    assertThatThrownBy(() -> EngineRun.compile(binary))
        .isInstanceOfSatisfying(
            ModuleException.class, e -> assertThat(e.problem()).isEqualTo(problem))
        .hasMessageContaining(message);
  }
}
