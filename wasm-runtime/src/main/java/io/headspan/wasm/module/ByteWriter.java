package io.headspan.wasm.module;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// Bytes, LEB128 numbers and names of the binary format.
final class ByteWriter {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ByteWriter u8(int value) {
    out.write(value);
    return this;
  }

  ByteWriter unsigned(int value) {
    int rest = value;
    while ((rest & ~0x7f) != 0) {
      out.write((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    out.write(rest);
    return this;
  }

  ByteWriter signed(long value) {
    long rest = value;
    while (rest < -64 || rest > 63) {
      out.write((int) (rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    out.write((int) rest & 0x7f);
    return this;
  }

  ByteWriter bytes(byte[] bytes) {
    out.writeBytes(bytes);
    return this;
  }

  ByteWriter sized(byte[] bytes) {
    return unsigned(bytes.length).bytes(bytes);
  }

  ByteWriter name(String name) {
    return sized(name.getBytes(StandardCharsets.UTF_8));
  }

  byte[] toBytes() {
    return out.toByteArray();
  }
}
