package io.headspan.wasm.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wasm.engine.ChicoryEngine;
import io.headspan.wasm.engine.GuestImage;
import io.headspan.wasm.engine.GuestModule;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.ModuleLimits;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import org.junit.jupiter.api.Test;

class FunctionKindTest {
  @Test
  void prefersTheReactor() {
    ModuleBuilder both = new ModuleBuilder().memory(1, 1);
    both.export("_start", ">", _ -> {});
    both.export("headspan_alloc", "i>i", code -> code.i32(8));
    both.export("headspan_handle", "ii>l", code -> code.i64(0));
    assertThat(FunctionKind.of(compile(both)).label()).isEqualTo("reactor");
    ModuleBuilder command = new ModuleBuilder().memory(1, 1);
    command.export("_start", ">", _ -> {});
    assertThat(FunctionKind.of(compile(command)).label()).isEqualTo("command");
  }

  @Test
  void refusesModulesWithoutAnEntryPoint() {
    ModuleBuilder none = new ModuleBuilder().memory(1, 1);
    assertNoEntryPoint(none, "exports neither _start");
    ModuleBuilder half = new ModuleBuilder().memory(1, 1);
    half.export("headspan_handle", "ii>l", code -> code.i64(0));
    assertNoEntryPoint(half, "not headspan_alloc");
    ModuleBuilder wrong = new ModuleBuilder().memory(1, 1);
    wrong.export("_start", "i>", _ -> {});
    assertNoEntryPoint(wrong, "export=_start, signature=[I32] -> [], expected=[] -> []");
  }

  @Test
  void aReactorThatGivesNoRoomBreaksTheRules() {
    assertRunTraps(0, 0, TrapKind.PROTOCOL, "headspan_alloc gave no memory");
  }

  @Test
  void aReactorsPointersAreChecked() {
    assertRunTraps(65_535, 0, TrapKind.MEMORY_OUT_OF_BOUNDS, "address=65535, length=4");
    assertRunTraps(-1, 0, TrapKind.MEMORY_OUT_OF_BOUNDS, "address=4294967295");
    assertRunTraps(8, 65_530L << 32 | 10, TrapKind.MEMORY_OUT_OF_BOUNDS, "length=10");
    assertRunTraps(8, 0xffff_ffffL, TrapKind.MEMORY_OUT_OF_BOUNDS, "length=4294967295");
    assertRunTraps(8, 200, TrapKind.RESPONSE_TOO_LARGE, "limitBytes=100");
  }

  private static void assertRunTraps(int allocated, long answer, TrapKind kind, String message) {
    ModuleBuilder builder = new ModuleBuilder().memory(1, 1);
    builder.export("headspan_alloc", "i>i", code -> code.i32(allocated));
    builder.export("headspan_handle", "ii>l", code -> code.i64(answer));
    GuestModule<Invocation> module = compile(builder);
    FunctionKind function = FunctionKind.of(module);
    Invocation invocation = new HostCalls(WasiFunctions.all(), "body").invocation;
    PageBudget budget = new PageBudget(1 << 20);
    GuestImage<Invocation> image =
        module.initialise(invocation, function.initialiser(), budget.open());
    assertThatThrownBy(() -> function.run(image.newInstance(invocation, budget.open()), invocation))
        .isInstanceOfSatisfying(GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(kind))
        .hasMessageContaining(message);
  }

  private static void assertNoEntryPoint(ModuleBuilder builder, String message) {
    GuestModule<Invocation> module = compile(builder);
    assertThatThrownBy(() -> FunctionKind.of(module))
        .isInstanceOfSatisfying(
            ModuleException.class,
            e -> assertThat(e.problem()).isEqualTo(ModuleProblem.NO_ENTRY_POINT))
        .hasMessageContaining(message);
  }

  private static GuestModule<Invocation> compile(ModuleBuilder builder) {
    return new ChicoryEngine()
        .compile(builder.build(), HostFunctions.library(), new ModuleLimits(16));
  }
}
