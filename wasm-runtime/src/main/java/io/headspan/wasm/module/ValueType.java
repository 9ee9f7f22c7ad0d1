package io.headspan.wasm.module;

/// The number types of WebAssembly, with their code in the binary format.
public enum ValueType {
  I32(0x7f),
  I64(0x7e),
  F32(0x7d),
  F64(0x7c);

  private final int code;

  ValueType(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
