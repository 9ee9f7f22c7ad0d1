package io.headspan.wasm;

import io.headspan.wasm.module.Code;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.Op;
import io.headspan.wasm.module.ValueType;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;

/// Modules that misbehave in one way each.
public final class TestModules {
  private TestModules() {}

  /// A WASI command with this body.
  public static byte[] command(Consumer<Code> body) {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 16);
    module.export("_start", ">", body);
    return module.build();
  }

  public static byte[] infiniteLoop() {
    return command(code -> code.loop().br(0).end());
  }

  public static byte[] unreachable() {
    return command(code -> code.op(Op.UNREACHABLE));
  }

  public static byte[] divideByZero() {
    return command(code -> code.i32(1).i32(0).op(Op.I32_DIV_S).op(Op.DROP));
  }

  public static byte[] endlessRecursion() {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 1);
    int self = module.nextFunction();
    // The sum after the call keeps it from being a loop in disguise.
    module.function("i>i", code -> code.get(0).call(self).get(0).op(Op.I32_ADD));
    module.export("_start", ">", code -> code.i32(1).call(self).op(Op.DROP));
    return module.build();
  }

  /// Endless recursion that calls the host at every depth, so that the stack ends in a host
  /// function sooner or later.
  public static byte[] endlessRecursionThroughHost() {
    ModuleBuilder module = new ModuleBuilder();
    int random = module.importFunction("wasi_snapshot_preview1", "random_get", "ii>i");
    int environ = module.importFunction("wasi_snapshot_preview1", "environ_get", "ii>i");
    int clock = module.importFunction("wasi_snapshot_preview1", "clock_time_get", "ili>i");
    int write = module.importFunction("wasi_snapshot_preview1", "fd_write", "iiii>i");
    int header = module.importFunction("headspan", "response_header", "iiii>");
    module.memory(1, 1).data(0, new byte[] {64, 0, 0, 0, 1}).data(64, ascii("x"));
    int self = module.nextFunction();
    module.function(
        "i>i",
        code -> {
          code.i32(1024).i32(64).call(random).op(Op.DROP);
          code.i32(2048).i32(4096).call(environ).op(Op.DROP);
          code.i32(0).i64(0).i32(512).call(clock).op(Op.DROP);
          code.i32(2).i32(0).i32(1).i32(16).call(write).op(Op.DROP);
          code.get(0).op(Op.I32_EQZ).ifNotZero();
          code.i32(64).i32(1).i32(64).i32(1).call(header);
          code.end();
          code.get(0).i32(1).op(Op.I32_ADD).call(self).get(0).op(Op.I32_ADD);
        });
    module.export("_start", ">", code -> code.i32(0).call(self).op(Op.DROP));
    return module.build();
  }

  /// Grows memory page by page and writes to each; exits with 0 when growing fails, traps if memory
  /// ever had more than `limitPages`.
  public static byte[] memoryHog(int limitPages) {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1);
    module.export(
        "_start",
        ">",
        code -> {
          int page = code.local(ValueType.I32);
          code.block().loop();
          code.i32(1).memoryGrow().tee(page).i32(-1).op(Op.I32_EQ).brIf(1);
          code.get(page).i32(limitPages).op(Op.I32_GE_U).ifNotZero().op(Op.UNREACHABLE).end();
          code.get(page).i32(16).op(Op.I32_SHL).i32(7).i32(65_536).memoryFill();
          code.br(0).end().end();
        });
    return module.build();
  }

  /// Writes `bytes` bytes to standard output, 64 KiB at a time.
  public static byte[] largeOutput(int bytes) {
    ModuleBuilder module = new ModuleBuilder();
    int write = module.importFunction("wasi_snapshot_preview1", "fd_write", "iiii>i");
    module.memory(2, 2);
    module.export(
        "_start",
        ">",
        code -> {
          int left = code.local(ValueType.I32);
          code.i32(0).i32(65_536).i32Store(0).i32(0).i32(65_536).i32Store(4);
          code.i32(bytes / 65_536).set(left);
          code.loop();
          code.i32(1).i32(0).i32(1).i32(16).call(write).op(Op.DROP);
          code.get(left).i32(1).op(Op.I32_SUB).tee(left).brIf(0).end();
        });
    return module.build();
  }

  public static byte[] exit(int status) {
    ModuleBuilder module = new ModuleBuilder();
    int exit = module.importFunction("wasi_snapshot_preview1", "proc_exit", "i>");
    module.memory(1, 1);
    module.export("_start", ">", code -> code.i32(status).call(exit));
    return module.build();
  }

  /// Sleeps for the given time in `poll_oneoff`.
  public static byte[] sleep(long durationNs) {
    ModuleBuilder module = new ModuleBuilder();
    int poll = module.importFunction("wasi_snapshot_preview1", "poll_oneoff", "iiii>i");
    module.memory(1, 1);
    module.export(
        "_start",
        ">",
        code -> {
          code.i32(0).i32(1).i32Store(16).i32(0).i64(durationNs).i64Store(24);
          code.i32(0).i32(64).i32(1).i32(128).call(poll).op(Op.DROP);
        });
    return module.build();
  }

  /// A reactor that answers with the value of a request field, status 204 if it is absent.
  public static byte[] requestField(int field) {
    ModuleBuilder module = new ModuleBuilder();
    int get = module.importFunction("headspan", "request_field", "iii>i");
    int status = module.importFunction("headspan", "response_status", "i>");
    module.memory(1, 1);
    module.export("headspan_alloc", "i>i", code -> code.i32(32_768));
    module.export(
        "headspan_handle",
        "ii>l",
        code -> {
          int length = code.local(ValueType.I32);
          code.i32(field).i32(1024).i32(1024).call(get).tee(length);
          code.i32(-1).op(Op.I32_EQ).ifNotZero();
          code.i32(204).call(status).i32(0).set(length);
          code.end();
          code.i64(1024L << 32).get(length).op(Op.I64_EXTEND_I32_U).op(Op.I64_OR);
        });
    return module.build();
  }

  /// A WASI command that answers with its environment, entries ended by zero bytes.
  public static byte[] environment() {
    ModuleBuilder module = new ModuleBuilder();
    int sizes = module.importFunction("wasi_snapshot_preview1", "environ_sizes_get", "ii>i");
    int get = module.importFunction("wasi_snapshot_preview1", "environ_get", "ii>i");
    int write = module.importFunction("wasi_snapshot_preview1", "fd_write", "iiii>i");
    module.memory(1, 1);
    module.export(
        "_start",
        ">",
        code -> {
          code.i32(0).i32(4).call(sizes).op(Op.DROP);
          code.i32(64).i32(4096).call(get).op(Op.DROP);
          code.i32(16).i32(4096).i32Store(0);
          code.i32(16).i32(4).i32Load(0).i32Store(4);
          code.i32(1).i32(16).i32(1).i32(32).call(write).op(Op.DROP);
        });
    return module.build();
  }

  /// A reactor that answers with one byte: how often it was called, by what it keeps in a global,
  /// in memory, in a table's size, and in whether a data segment is still there. All of them count
  /// from the same start if nothing leaks from one invocation to the next.
  public static byte[] countsCalls() {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 4);
    int calls = module.global(ValueType.I32, 0);
    int segment = module.passiveData(ascii("A"));
    module.export("headspan_alloc", "i>i", code -> code.i32(1024));
    int handle =
        module.export(
            "headspan_handle",
            "ii>l",
            code -> {
              code.globalGet(calls).i32(1).op(Op.I32_ADD).globalSet(calls);
              code.i32(0).i32(0).i32Load8(0).i32(1).op(Op.I32_ADD).i32Store8(0);
              code.i32(1).tableGrow().op(Op.DROP);
              code.i32(0).tableSetFunction(0);
              code.i32(3).i32(0).i32(1).memoryInit(segment).dataDrop(segment);
              code.i32(1).globalGet(calls).i32Store8(0);
              code.i32(2).tableSize().i32Store8(0);
              code.i64(4);
            });
    module.table(1, 100, List.of(handle));
    return module.build();
  }

  /// A reactor whose `_initialize` writes 42 to a global and to memory, and counts its runs;
  /// answers with these three bytes.
  public static byte[] initialised() {
    ModuleBuilder module = new ModuleBuilder();
    module.memory(1, 1);
    int answer = module.global(ValueType.I32, 0);
    module.export(
        "_initialize",
        ">",
        code -> {
          code.i32(42).globalSet(answer).i32(1).i32(42).i32Store8(0);
          code.i32(2).i32(2).i32Load8(0).i32(1).op(Op.I32_ADD).i32Store8(0);
        });
    module.export("headspan_alloc", "i>i", code -> code.i32(1024));
    module.export(
        "headspan_handle", "ii>l", code -> code.i32(0).globalGet(answer).i32Store8(0).i64(3));
    return module.build();
  }

  public static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
