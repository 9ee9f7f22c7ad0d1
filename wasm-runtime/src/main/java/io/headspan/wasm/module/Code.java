package io.headspan.wasm.module;

import java.util.ArrayList;
import java.util.List;

/// A function's body, written instruction by instruction in the order of the stack machine.
/// Parameters are the first locals.
public final class Code {
  private static final int EMPTY_BLOCK = 0x40;

  private final ByteWriter body = new ByteWriter();
  private final List<ValueType> locals = new ArrayList<>();
  private final int parameters;
  private int depth;

  Code(int parameters) {
    this.parameters = parameters;
  }

  /// Declares a local and gives its index.
  public int local(ValueType type) {
    locals.add(type);
    return parameters + locals.size() - 1;
  }

  public Code op(Op op) {
    body.u8(op.code());
    return this;
  }

  public Code i32(int value) {
    body.u8(0x41).signed(value);
    return this;
  }

  public Code i64(long value) {
    body.u8(0x42).signed(value);
    return this;
  }

  public Code f64(double value) {
    body.u8(0x44);
    long bits = Double.doubleToRawLongBits(value);
    for (int i = 0; i < 8; i++) {
      body.u8((int) (bits >>> (8 * i)) & 0xff);
    }
    return this;
  }

  public Code get(int local) {
    body.u8(0x20).unsigned(local);
    return this;
  }

  public Code set(int local) {
    body.u8(0x21).unsigned(local);
    return this;
  }

  public Code tee(int local) {
    body.u8(0x22).unsigned(local);
    return this;
  }

  public Code globalGet(int global) {
    body.u8(0x23).unsigned(global);
    return this;
  }

  public Code globalSet(int global) {
    body.u8(0x24).unsigned(global);
    return this;
  }

  public Code call(int function) {
    body.u8(0x10).unsigned(function);
    return this;
  }

  /// Calls the function whose index in table 0 is on the stack.
  public Code callIndirect(int type) {
    body.u8(0x11).unsigned(type).unsigned(0);
    return this;
  }

  /// Opens a block; a branch to it leaves it.
  public Code block() {
    depth++;
    body.u8(0x02).u8(EMPTY_BLOCK);
    return this;
  }

  /// Opens a loop; a branch to it starts it again.
  public Code loop() {
    depth++;
    body.u8(0x03).u8(EMPTY_BLOCK);
    return this;
  }

  /// Opens a block that runs if the number on the stack is not 0.
  public Code ifNotZero() {
    depth++;
    body.u8(0x04).u8(EMPTY_BLOCK);
    return this;
  }

  public Code otherwise() {
    body.u8(0x05);
    return this;
  }

  public Code end() {
    depth--;
    body.u8(0x0b);
    return this;
  }

  /// Branches to the block `levels` outside the innermost.
  public Code br(int levels) {
    body.u8(0x0c).unsigned(levels);
    return this;
  }

  public Code brIf(int levels) {
    body.u8(0x0d).unsigned(levels);
    return this;
  }

  public Code i32Load(int offset) {
    return access(0x28, 2, offset);
  }

  public Code i64Load(int offset) {
    return access(0x29, 3, offset);
  }

  public Code i32Load8(int offset) {
    return access(0x2d, 0, offset);
  }

  public Code i32Store(int offset) {
    return access(0x36, 2, offset);
  }

  public Code i64Store(int offset) {
    return access(0x37, 3, offset);
  }

  public Code i32Store8(int offset) {
    return access(0x3a, 0, offset);
  }

  public Code memorySize() {
    body.u8(0x3f).u8(0);
    return this;
  }

  public Code memoryGrow() {
    body.u8(0x40).u8(0);
    return this;
  }

  /// Copies `length` bytes; on the stack: target, source, length.
  public Code memoryCopy() {
    body.u8(0xfc).unsigned(10).u8(0).u8(0);
    return this;
  }

  /// Fills bytes; on the stack: target, value, length.
  public Code memoryFill() {
    body.u8(0xfc).unsigned(11).u8(0);
    return this;
  }

  /// Copies from a data segment; on the stack: target, offset in the segment, length.
  public Code memoryInit(int segment) {
    body.u8(0xfc).unsigned(8).unsigned(segment).u8(0);
    return this;
  }

  public Code dataDrop(int segment) {
    body.u8(0xfc).unsigned(9).unsigned(segment);
    return this;
  }

  /// Grows table 0 by null references; on the stack: how many.
  public Code tableGrow() {
    int count = local(ValueType.I32);
    set(count);
    body.u8(0xd0).u8(0x70);
    get(count);
    body.u8(0xfc).unsigned(15).unsigned(0);
    return this;
  }

  public Code tableSize() {
    body.u8(0xfc).unsigned(16).unsigned(0);
    return this;
  }

  /// Sets an entry of table 0 to a function; on the stack: the entry's index.
  public Code tableSetFunction(int function) {
    body.u8(0xd2).unsigned(function).u8(0x26).unsigned(0);
    return this;
  }

  /// Any bytes, for instructions that this class does not know.
  public Code raw(int... bytes) {
    for (int b : bytes) {
      body.u8(b);
    }
    return this;
  }

  byte[] toBytes() {
    if (depth != 0) {
      throw new IllegalStateException("a block was not closed: open=" + depth);
    }
    ByteWriter out = new ByteWriter().unsigned(locals.size());
    for (ValueType local : locals) {
      out.unsigned(1).u8(local.code());
    }
    return out.bytes(body.toBytes()).u8(0x0b).toBytes();
  }

  private Code access(int code, int alignment, int offset) {
    body.u8(code).unsigned(alignment).unsigned(offset);
    return this;
  }
}
