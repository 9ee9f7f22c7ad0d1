package io.headspan.wasm.module;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Writes a WebAssembly module. It exists so that the example functions and every test module are
/// made from source in this repository, without a compiler for another language; it does not check
/// what it writes, so that broken modules can be made with it too.
///
/// Imports come before functions, as their indexes do: declare all imports first.
public final class ModuleBuilder {
  private static final int FUNCTION = 0;
  private static final int MEMORY = 2;
  private static final int NO_MAXIMUM = -1;

  private record Export(String name, int kind, int index) {}

  private record Import(String module, String name, int type) {}

  private record Global(ValueType type, boolean mutable, long initial) {}

  private record Data(int offset, byte[] bytes) {}

  private final List<Signature> types = new ArrayList<>();
  private final List<Import> imports = new ArrayList<>();
  private final List<Integer> functionTypes = new ArrayList<>();
  private final List<byte[]> bodies = new ArrayList<>();
  private final List<Export> exports = new ArrayList<>();
  private final List<Global> globals = new ArrayList<>();
  private final List<Data> segments = new ArrayList<>();
  private final List<Integer> tableFunctions = new ArrayList<>();
  private final List<byte[]> memories = new ArrayList<>();
  private final List<byte[]> customSections = new ArrayList<>();
  private int tableMinimum = NO_MAXIMUM;
  private int tableMaximum = NO_MAXIMUM;
  private int start = -1;

  /// Gives the index of the imported function.
  public int importFunction(String module, String name, String signature) {
    if (!bodies.isEmpty()) {
      throw new IllegalStateException("imports come before functions: import=" + name);
    }
    imports.add(new Import(module, name, type(signature)));
    return imports.size() - 1;
  }

  /// Adds a function and gives its index. `signature` as in [Signature#of].
  public int function(String signature, Consumer<Code> body) {
    Signature parsed = Signature.of(signature);
    int index = declare(signature);
    Code code = new Code(parsed.parameters().size());
    body.accept(code);
    bodies.add(code.toBytes());
    return index;
  }

  /// As [#function], exported under `name`.
  public int export(String name, String signature, Consumer<Code> body) {
    int index = function(signature, body);
    exports.add(new Export(name, FUNCTION, index));
    return index;
  }

  /// The index that the next function will have, for recursion.
  public int nextFunction() {
    return imports.size() + functionTypes.size();
  }

  /// The index of a function type, for `call_indirect`.
  public int type(String signature) {
    Signature parsed = Signature.of(signature);
    int known = types.indexOf(parsed);
    if (known >= 0) {
      return known;
    }
    types.add(parsed);
    return types.size() - 1;
  }

  /// A memory without a maximum; the first is exported as `memory`.
  public ModuleBuilder memory(int minimumPages) {
    return addMemory(new ByteWriter().u8(0).unsigned(minimumPages).toBytes());
  }

  public ModuleBuilder memory(int minimumPages, int maximumPages) {
    return addMemory(
        new ByteWriter().u8(1).unsigned(minimumPages).unsigned(maximumPages).toBytes());
  }

  public ModuleBuilder sharedMemory(int minimumPages, int maximumPages) {
    return addMemory(
        new ByteWriter().u8(3).unsigned(minimumPages).unsigned(maximumPages).toBytes());
  }

  /// A mutable global; gives its index.
  public int global(ValueType type, long initial) {
    globals.add(new Global(type, true, initial));
    return globals.size() - 1;
  }

  /// Bytes that are in memory at the start.
  public ModuleBuilder data(int offset, byte[] bytes) {
    segments.add(new Data(offset, bytes));
    return this;
  }

  /// A segment that only `memory.init` reads; gives its index.
  public int passiveData(byte[] bytes) {
    segments.add(new Data(-1, bytes));
    return segments.size() - 1;
  }

  /// Table 0, of functions; `functions` fill it from entry 0.
  public ModuleBuilder table(int minimum, int maximum, List<Integer> functions) {
    tableMinimum = minimum;
    tableMaximum = maximum;
    tableFunctions.addAll(functions);
    return this;
  }

  public ModuleBuilder start(int function) {
    start = function;
    return this;
  }

  public ModuleBuilder customSection(String name, byte[] bytes) {
    customSections.add(new ByteWriter().name(name).bytes(bytes).toBytes());
    return this;
  }

  public byte[] build() {
    ByteWriter out = new ByteWriter();
    out.u8(0).u8('a').u8('s').u8('m').u8(1).u8(0).u8(0).u8(0);
    section(out, 1, types, (w, t) -> writeType(w.u8(0x60), t));
    section(
        out,
        2,
        imports,
        (w, i) -> w.name(i.module()).name(i.name()).u8(FUNCTION).unsigned(i.type()));
    section(out, 3, functionTypes, ByteWriter::unsigned);
    if (tableMinimum >= 0) {
      ByteWriter table = new ByteWriter().unsigned(1).u8(0x70);
      table.u8(1).unsigned(tableMinimum).unsigned(tableMaximum);
      out.u8(4).sized(table.toBytes());
    }
    section(out, 5, memories, ByteWriter::bytes);
    section(out, 6, globals, ModuleBuilder::writeGlobal);
    section(out, 7, exports, (w, e) -> w.name(e.name()).u8(e.kind()).unsigned(e.index()));
    if (start >= 0) {
      out.u8(8).sized(new ByteWriter().unsigned(start).toBytes());
    }
    if (!tableFunctions.isEmpty()) {
      ByteWriter elements = new ByteWriter().unsigned(1).unsigned(0).u8(0x41).signed(0).u8(0x0b);
      elements.unsigned(tableFunctions.size());
      tableFunctions.forEach(elements::unsigned);
      out.u8(9).sized(elements.toBytes());
    }
    if (!segments.isEmpty()) {
      out.u8(12).sized(new ByteWriter().unsigned(segments.size()).toBytes());
    }
    section(out, 10, bodies, ByteWriter::sized);
    section(out, 11, segments, ModuleBuilder::writeData);
    customSections.forEach(c -> out.u8(0).sized(c));
    return out.toBytes();
  }

  private int declare(String signature) {
    functionTypes.add(type(signature));
    return imports.size() + functionTypes.size() - 1;
  }

  private ModuleBuilder addMemory(byte[] limits) {
    if (memories.isEmpty()) {
      exports.add(new Export("memory", MEMORY, 0));
    }
    memories.add(limits);
    return this;
  }

  private static <T> void section(ByteWriter out, int id, List<T> items, ItemWriter<T> writer) {
    if (items.isEmpty()) {
      return;
    }
    ByteWriter content = new ByteWriter().unsigned(items.size());
    items.forEach(item -> writer.write(content, item));
    out.u8(id).sized(content.toBytes());
  }

  private static void writeType(ByteWriter out, Signature type) {
    out.unsigned(type.parameters().size());
    type.parameters().forEach(p -> out.u8(p.code()));
    out.unsigned(type.results().size());
    type.results().forEach(r -> out.u8(r.code()));
  }

  private static void writeGlobal(ByteWriter out, Global global) {
    out.u8(global.type().code()).u8(global.mutable() ? 1 : 0);
    out.u8(global.type() == ValueType.I64 ? 0x42 : 0x41).signed(global.initial()).u8(0x0b);
  }

  private static void writeData(ByteWriter out, Data data) {
    if (data.offset() < 0) {
      out.unsigned(1);
    } else {
      out.unsigned(0).u8(0x41).signed(data.offset()).u8(0x0b);
    }
    out.sized(data.bytes());
  }

  private interface ItemWriter<T> {
    void write(ByteWriter out, T item);
  }
}
