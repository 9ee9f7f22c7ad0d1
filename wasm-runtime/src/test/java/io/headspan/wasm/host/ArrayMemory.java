package io.headspan.wasm.host;

import io.headspan.wasm.engine.GuestMemory;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.TrapKind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// Memory of one page, plainly.
final class ArrayMemory implements GuestMemory {
  private final ByteBuffer bytes = ByteBuffer.allocate(65_536).order(ByteOrder.LITTLE_ENDIAN);

  @Override
  public int pages() {
    return 1;
  }

  @Override
  public long residentBytes() {
    return bytes.capacity();
  }

  @Override
  public byte[] read(int address, int length) {
    byte[] read = new byte[checked(address, length)];
    bytes.get(address, read);
    return read;
  }

  @Override
  public void read(int address, byte[] target, int offset, int length) {
    bytes.get(address, target, offset, checked(address, length));
  }

  @Override
  public void write(int address, byte[] source, int offset, int length) {
    bytes.put(address, source, offset, checked(address, length));
  }

  @Override
  public int readInt(int address) {
    checkRange(address, 4);
    return bytes.getInt(address);
  }

  @Override
  public long readLong(int address) {
    checkRange(address, 8);
    return bytes.getLong(address);
  }

  @Override
  public void writeByte(int address, byte value) {
    checkRange(address, 1);
    bytes.put(address, value);
  }

  @Override
  public void writeShort(int address, short value) {
    checkRange(address, 2);
    bytes.putShort(address, value);
  }

  @Override
  public void writeInt(int address, int value) {
    checkRange(address, 4);
    bytes.putInt(address, value);
  }

  @Override
  public void writeLong(int address, long value) {
    checkRange(address, 8);
    bytes.putLong(address, value);
  }

  @Override
  public void checkRange(int address, int length) {
    if (Integer.toUnsignedLong(address) + Integer.toUnsignedLong(length) > bytes.capacity()) {
      throw new GuestTrap(TrapKind.MEMORY_OUT_OF_BOUNDS, "outside");
    }
  }

  private int checked(int address, int length) {
    checkRange(address, length);
    return length;
  }
}
