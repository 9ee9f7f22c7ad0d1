package io.headspan.wasm.module;

/// Instructions without an operand in the binary, by their code; those with one are methods of
/// [Code].
public enum Op {
  UNREACHABLE(0x00),
  NOP(0x01),
  RETURN(0x0f),
  DROP(0x1a),
  SELECT(0x1b),
  I32_EQZ(0x45),
  I32_EQ(0x46),
  I32_NE(0x47),
  I32_LT_S(0x48),
  I32_LT_U(0x49),
  I32_GT_S(0x4a),
  I32_GT_U(0x4b),
  I32_LE_U(0x4d),
  I32_GE_U(0x4f),
  I32_ADD(0x6a),
  I32_SUB(0x6b),
  I32_MUL(0x6c),
  I32_DIV_S(0x6d),
  I32_DIV_U(0x6e),
  I32_REM_U(0x70),
  I32_AND(0x71),
  I32_OR(0x72),
  I32_XOR(0x73),
  I32_SHL(0x74),
  I32_SHR_U(0x76),
  I32_ROTL(0x77),
  I64_OR(0x84),
  I64_SHL(0x86),
  I32_TRUNC_F64_S(0xaa),
  I64_EXTEND_I32_U(0xad);

  private final int code;

  Op(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
