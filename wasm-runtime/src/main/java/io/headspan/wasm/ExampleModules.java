package io.headspan.wasm;

import io.headspan.wasm.module.Code;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.Op;
import io.headspan.wasm.module.ValueType;
import java.nio.charset.StandardCharsets;

/// Functions to try the executor with, written in WebAssembly's own instructions so that building
/// them needs no other compiler.
public final class ExampleModules {
  private static final int REQUEST_AT = 65_536;
  private static final int CONTENT_TYPE = 3;

  private ExampleModules() {}

  /// A reactor that answers with the request's body and content type.
  public static byte[] echo() {
    ModuleBuilder module = new ModuleBuilder();
    int requestField = module.importFunction("headspan", "request_field", "iii>i");
    int responseHeader = module.importFunction("headspan", "response_header", "iiii>");
    int nameAt = 0;
    byte[] name = ascii("content-type");
    int valueAt = 64;
    int valueCapacity = 256;
    module.memory(2, 256).data(nameAt, name);
    addAllocate(module);
    module.export(
        "headspan_handle",
        "ii>l",
        code -> {
          int length = code.local(ValueType.I32);
          code.i32(CONTENT_TYPE).i32(valueAt).i32(valueCapacity).call(requestField).set(length);
          code.get(length).i32(0).op(Op.I32_GT_S);
          code.get(length).i32(valueCapacity).op(Op.I32_LE_U).op(Op.I32_AND).ifNotZero();
          code.i32(nameAt).i32(name.length).i32(valueAt).get(length).call(responseHeader);
          code.end();
          addAnswer(code, c -> c.get(0), c -> c.get(1));
        });
    return module.build();
  }

  /// A reactor that works out a price for whatever the request's body says, which takes some tens
  /// of thousands of dependent multiplications, and answers with JSON:
  /// `{"item":"9f86d081","price":0042.17,...}` without the leading zeros being significant.
  public static byte[] price() {
    ModuleBuilder module = new ModuleBuilder();
    int responseHeader = module.importFunction("headspan", "response_header", "iiii>");
    byte[] name = ascii("content-type");
    byte[] value = ascii("application/json");
    int nameAt = 0;
    int valueAt = 32;
    int templateAt = 64;
    byte[] template = ascii("{\"item\":\"########\",\"price\":\"####.##\",\"currency\":\"EUR\"}\n");
    int itemAt = templateAt + 9;
    int priceAt = templateAt + 28;
    module.memory(2, 256).data(nameAt, name).data(valueAt, value).data(templateAt, template);
    addAllocate(module);
    int hash = addHash(module);
    int digits = addDigits(module);
    module.export(
        "headspan_handle",
        "ii>l",
        code -> {
          int item = code.local(ValueType.I32);
          int cents = code.local(ValueType.I32);
          code.get(0).get(1).call(hash).set(item);
          code.i32(itemAt).get(item).i32(8).i32(16).call(digits);
          code.get(item).i32(1_000_000).op(Op.I32_REM_U).set(cents);
          code.i32(priceAt).get(cents).i32(100).op(Op.I32_DIV_U).i32(4).i32(10).call(digits);
          code.i32(priceAt + 5).get(cents).i32(2).i32(10).call(digits);
          code.i32(nameAt).i32(name.length).i32(valueAt).i32(value.length).call(responseHeader);
          addAnswer(code, c -> c.i32(templateAt), c -> c.i32(template.length));
        });
    return module.build();
  }

  /// A WASI command that answers with its standard input in upper case.
  public static byte[] upperCase() {
    ModuleBuilder module = new ModuleBuilder();
    int read = module.importFunction("wasi_snapshot_preview1", "fd_read", "iiii>i");
    int write = module.importFunction("wasi_snapshot_preview1", "fd_write", "iiii>i");
    int exit = module.importFunction("wasi_snapshot_preview1", "proc_exit", "i>");
    int vectorAt = 0;
    int countAt = 8;
    int bufferAt = 64;
    int bufferBytes = 4_096;
    module.memory(1, 1);
    module.export(
        "_start",
        ">",
        code -> {
          int at = code.local(ValueType.I32);
          int end = code.local(ValueType.I32);
          code.i32(vectorAt).i32(bufferAt).i32Store(0);
          code.block().loop();
          code.i32(vectorAt).i32(bufferBytes).i32Store(4);
          code.i32(0).i32(vectorAt).i32(1).i32(countAt).call(read);
          exitUnlessZero(code, exit);
          code.i32(countAt).i32Load(0).op(Op.I32_EQZ).brIf(1);
          code.i32(bufferAt).tee(at).i32(countAt).i32Load(0).op(Op.I32_ADD).set(end);
          code.loop();
          code.get(at).i32Load8(0).i32('a').op(Op.I32_SUB).i32(26).op(Op.I32_LT_U).ifNotZero();
          code.get(at).get(at).i32Load8(0).i32('a' - 'A').op(Op.I32_SUB).i32Store8(0);
          code.end();
          code.get(at).i32(1).op(Op.I32_ADD).tee(at).get(end).op(Op.I32_LT_U).brIf(0).end();
          code.i32(vectorAt).i32(countAt).i32Load(0).i32Store(4);
          code.i32(1).i32(vectorAt).i32(1).i32(countAt).call(write);
          exitUnlessZero(code, exit);
          code.br(0).end().end();
        });
    return module.build();
  }

  /// `headspan_alloc` for a module that keeps the request at one place: grows memory until it fits.
  private static void addAllocate(ModuleBuilder module) {
    module.export(
        "headspan_alloc",
        "i>i",
        code -> {
          int pages = code.local(ValueType.I32);
          // Pages that are missing: ceil((REQUEST_AT + size) / 64 KiB) less those there are.
          code.get(0).i32(REQUEST_AT + 65_535).op(Op.I32_ADD).i32(16).op(Op.I32_SHR_U);
          code.memorySize().op(Op.I32_SUB).tee(pages).i32(0).op(Op.I32_GT_S).ifNotZero();
          code.get(pages).memoryGrow().i32(-1).op(Op.I32_EQ).ifNotZero();
          code.i32(0).op(Op.RETURN);
          code.end().end();
          code.i32(REQUEST_AT);
        });
  }

  /// `hash(address, length)`: FNV-1a over the bytes, then many rounds of a mixer, for the work.
  private static int addHash(ModuleBuilder module) {
    return module.function(
        "ii>i",
        code -> {
          int hash = code.local(ValueType.I32);
          int left = code.local(ValueType.I32);
          code.i32(0x811c9dc5).set(hash);
          code.block().loop();
          code.get(1).op(Op.I32_EQZ).brIf(1);
          code.get(hash).get(0).i32Load8(0).op(Op.I32_XOR).i32(0x01000193).op(Op.I32_MUL);
          code.set(hash);
          code.get(0).i32(1).op(Op.I32_ADD).set(0);
          code.get(1).i32(1).op(Op.I32_SUB).set(1);
          code.br(0).end().end();
          code.i32(50_000).set(left);
          code.loop();
          code.get(hash).get(hash).i32(15).op(Op.I32_SHR_U).op(Op.I32_XOR);
          code.i32(0x2c1b3c6d).op(Op.I32_MUL).tee(hash).i32(13).op(Op.I32_ROTL);
          code.i32(0x297a2d39).op(Op.I32_ADD).set(hash);
          code.get(left).i32(1).op(Op.I32_SUB).tee(left).brIf(0).end();
          code.get(hash);
        });
  }

  /// `digits(address, number, count, base)`: writes the last `count` digits of a number.
  private static int addDigits(ModuleBuilder module) {
    return module.function(
        "iiii>",
        code -> {
          int digit = code.local(ValueType.I32);
          code.loop();
          code.get(2).i32(1).op(Op.I32_SUB).set(2);
          code.get(1).get(3).op(Op.I32_REM_U).set(digit);
          code.get(1).get(3).op(Op.I32_DIV_U).set(1);
          code.get(0).get(2).op(Op.I32_ADD);
          code.get(digit).i32('0').op(Op.I32_ADD);
          code.get(digit).i32('a' - 10).op(Op.I32_ADD);
          code.get(digit).i32(10).op(Op.I32_LT_U).op(Op.SELECT).i32Store8(0);
          code.get(2).brIf(0).end();
        });
  }

  /// Leaves `address << 32 | length` on the stack.
  private static void addAnswer(Code code, Part address, Part length) {
    address.addTo(code);
    code.op(Op.I64_EXTEND_I32_U).i64(32).op(Op.I64_SHL);
    length.addTo(code);
    code.op(Op.I64_EXTEND_I32_U).op(Op.I64_OR);
  }

  private static void exitUnlessZero(Code code, int exit) {
    code.ifNotZero().i32(1).call(exit).end();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private interface Part {
    void addTo(Code code);
  }
}
