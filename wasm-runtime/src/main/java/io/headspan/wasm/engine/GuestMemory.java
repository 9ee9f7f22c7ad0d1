package io.headspan.wasm.engine;

/// A guest's linear memory as host functions see it. Addresses are the guest's: unsigned 32-bit
/// numbers in an `int`. Every method checks its range and throws [GuestTrap]
/// `MEMORY_OUT_OF_BOUNDS`, so host functions pass pointers on as they came.
public interface GuestMemory {
  /// The size now, in WebAssembly pages of 64 KiB. It never shrinks, so at the end it is the peak.
  int pages();

  /// Bytes that were written since the image and so exist for this instance alone, in steps of 4
  /// KiB.
  long residentBytes();

  byte[] read(int address, int length);

  void read(int address, byte[] target, int offset, int length);

  void write(int address, byte[] source, int offset, int length);

  int readInt(int address);

  long readLong(int address);

  void writeByte(int address, byte value);

  void writeShort(int address, short value);

  void writeInt(int address, int value);

  void writeLong(int address, long value);

  /// Checks that the range lies in memory, for a host function that must know before it acts.
  void checkRange(int address, int length);
}
