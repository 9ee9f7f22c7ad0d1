package io.headspan.wasm.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.wasm.module.Code;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.Op;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// Every trap that a guest can provoke, by the guest that provokes it.
class TrapsTest {
  @Test
  void unreachable() {
    assertTraps(TrapKind.UNREACHABLE, code -> code.op(Op.UNREACHABLE));
  }

  @Test
  void integerDivision() {
    assertTraps(TrapKind.DIVIDE_BY_ZERO, c -> c.i32(1).i32(0).op(Op.I32_DIV_S).op(Op.DROP));
    assertTraps(TrapKind.DIVIDE_BY_ZERO, c -> c.i32(1).i32(0).op(Op.I32_DIV_U).op(Op.DROP));
    assertTraps(TrapKind.DIVIDE_BY_ZERO, c -> c.i32(1).i32(0).op(Op.I32_REM_U).op(Op.DROP));
    // i64.div_s and i64.rem_s
    assertTraps(TrapKind.DIVIDE_BY_ZERO, c -> c.i64(1).i64(0).raw(0x7f).op(Op.DROP));
    assertTraps(TrapKind.DIVIDE_BY_ZERO, c -> c.i64(1).i64(0).raw(0x81).op(Op.DROP));
    assertTraps(
        TrapKind.INTEGER_OVERFLOW,
        c -> c.i32(Integer.MIN_VALUE).i32(-1).op(Op.I32_DIV_S).op(Op.DROP));
    assertTraps(
        TrapKind.INTEGER_OVERFLOW, c -> c.i64(Long.MIN_VALUE).i64(-1).raw(0x7f).op(Op.DROP));
  }

  @Test
  void conversionToAnInteger() {
    assertTraps(
        TrapKind.INTEGER_OVERFLOW, c -> c.f64(Double.NaN).op(Op.I32_TRUNC_F64_S).op(Op.DROP));
    assertTraps(TrapKind.INTEGER_OVERFLOW, c -> c.f64(1e300).op(Op.I32_TRUNC_F64_S).op(Op.DROP));
  }

  @Test
  void memory() {
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(65_533).i32Load(0).op(Op.DROP));
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(-4).i32Load(0).op(Op.DROP));
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(65_536).i32(1).i32Store8(0));
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(0).i32(0).i32(65_537).memoryFill());
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(0).i32(0).i32(-1).memoryFill());
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(1).i32(0).i32(65_536).memoryCopy());
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(0).i32(-1).i32(2).memoryCopy());
    assertTraps(TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.i32(0).i32(0).i32(4).memoryInit(0));
    assertTraps(
        TrapKind.MEMORY_OUT_OF_BOUNDS, c -> c.dataDrop(0).i32(0).i32(0).i32(1).memoryInit(0));
  }

  @Test
  void atomics() {
    // i32.atomic.rmw.add at an address that is not a multiple of 4
    assertTraps(TrapKind.UNALIGNED_ATOMIC, c -> c.i32(2).i32(1).raw(0xfe, 0x1e, 2, 0).op(Op.DROP));
    // memory.atomic.wait32
    assertTraps(TrapKind.PROTOCOL, c -> c.i32(0).i32(0).i64(-1).raw(0xfe, 0x01, 2, 0).op(Op.DROP));
  }

  @Test
  void tables() {
    assertTraps(TrapKind.TABLE_OUT_OF_BOUNDS, c -> c.i32(9).callIndirect(0));
    assertTraps(TrapKind.TABLE_OUT_OF_BOUNDS, c -> c.i32(-1).callIndirect(0));
    assertTraps(TrapKind.TABLE_OUT_OF_BOUNDS, c -> c.i32(1).callIndirect(0));
    assertTraps(TrapKind.INDIRECT_CALL_TYPE, c -> c.i32(0).callIndirect(0));
    assertTraps(TrapKind.TABLE_OUT_OF_BOUNDS, c -> c.i32(3).tableSetFunction(0));
  }

  @Test
  void callsWithoutEnd() {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 1);
    int self = module.nextFunction();
    module.export("run", ">", code -> code.call(self));
    assertThatThrownBy(() -> EngineRun.run(module.build(), "run"))
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.STACK_OVERFLOW));
  }

  @Test
  void interrupt() {
    Thread.currentThread().interrupt();
    try {
      assertTraps(TrapKind.INTERRUPTED, code -> code.loop().br(0).end());
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void anUncaughtException() {
    // (module (type (func)) (memory 1) (tag (type 0)) (func (throw 0)) (export "run" (func 0)))
    byte[] module = {
      0, 'a', 's', 'm', 1, 0, 0, 0, //
      1, 4, 1, 0x60, 0, 0, //
      3, 2, 1, 0, //
      5, 3, 1, 0, 1, //
      13, 3, 1, 0, 0, //
      7, 7, 1, 3, 'r', 'u', 'n', 0, 0, //
      10, 6, 1, 4, 0, 8, 0, 0x0b
    };
    assertThatThrownBy(() -> EngineRun.run(module, "run"))
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.UNCAUGHT_EXCEPTION));
  }

  @Test
  void whatIsNotKnownIsTheEnginesFault() {
    assertThat(Traps.translate(new IllegalStateException("odd")).kind()).isEqualTo(TrapKind.ENGINE);
    assertThat(Traps.translate(new OutOfMemoryError("heap")).kind())
        .isEqualTo(TrapKind.MEMORY_BUDGET);
  }

  private static void assertTraps(TrapKind kind, Consumer<Code> body) {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 1);
    module.type(">");
    module.passiveData(new byte[] {1, 2, 3});
    int other = module.export("other", "i>i", code -> code.get(0));
    module.export("run", ">", body);
    module.table(2, 2, List.of(other));
    assertThatThrownBy(() -> EngineRun.run(module.build(), "run"))
        .isInstanceOfSatisfying(GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(kind));
  }
}
