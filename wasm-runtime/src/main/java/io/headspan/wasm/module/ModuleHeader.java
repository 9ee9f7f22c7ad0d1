package io.headspan.wasm.module;

/// The outline of a binary: magic, version, and a walk over the section headers. It costs
/// microseconds and needs no engine, so that what is not WebAssembly at all, or arrived cut short,
/// gets an error that says just that.
///
/// Format: WebAssembly core specification, section "Binary Format, Modules".
public final class ModuleHeader {
  private static final int HEADER_BYTES = 8;
  private static final int MAGIC = 0x6d736100;
  private static final int CORE_VERSION = 1;

  /// Version 13, layer 1: the component model's encoding, which a core engine cannot run.
  private static final int COMPONENT_VERSION = 0x0001000d;

  private static final String[] SECTIONS = {
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag"
  };

  private ModuleHeader() {}

  /// Checks the whole outline.
  ///
  /// @throws ModuleException `NOT_WASM`, `UNSUPPORTED_VERSION`, `TRUNCATED` or `MALFORMED`
  public static void check(byte[] binary) {
    if (binary.length < 4 || int32(binary, 0) != MAGIC) {
      throw new ModuleException(
          ModuleProblem.NOT_WASM,
          "not a WebAssembly module: it does not begin with the magic \\0asm, sizeBytes="
              + binary.length
              + "; send the compiled .wasm file, not text or an archive");
    }
    if (binary.length < HEADER_BYTES) {
      throw truncated("the header", 0, binary.length);
    }
    int version = int32(binary, 4);
    if (version == COMPONENT_VERSION) {
      throw new ModuleException(
          ModuleProblem.UNSUPPORTED_VERSION,
          "this is a WebAssembly component, which is not supported; build a core module instead"
              + " (target wasm32-wasip1 or wasm32-unknown-unknown)");
    }
    if (version != CORE_VERSION) {
      throw new ModuleException(
          ModuleProblem.UNSUPPORTED_VERSION,
          "unknown WebAssembly version: version=" + version + ", supported=" + CORE_VERSION);
    }
    int position = HEADER_BYTES;
    while (position < binary.length) {
      position = sectionEnd(binary, position);
    }
  }

  private static int sectionEnd(byte[] binary, int start) {
    int id = binary[start] & 0xff;
    if (id >= SECTIONS.length) {
      throw new ModuleException(
          ModuleProblem.MALFORMED, "no such section: id=" + id + ", offset=" + start);
    }
    int position = start + 1;
    long size = 0;
    for (int shift = 0; ; shift += 7) {
      if (position >= binary.length) {
        throw truncated("the size of section " + SECTIONS[id], start, binary.length);
      }
      int b = binary[position++] & 0xff;
      size |= (long) (b & 0x7f) << shift;
      if ((b & 0x80) == 0) {
        break;
      }
      if (shift == 28) {
        throw new ModuleException(
            ModuleProblem.MALFORMED,
            "section size is not an unsigned 32-bit number: offset=" + start);
      }
    }
    if (position + size > binary.length) {
      throw truncated("section " + SECTIONS[id], start, binary.length);
    }
    return position + (int) size;
  }

  private static ModuleException truncated(String what, int offset, int sizeBytes) {
    return new ModuleException(
        ModuleProblem.TRUNCATED,
        "the module is cut short in " + what + ": offset=" + offset + ", sizeBytes=" + sizeBytes);
  }

  private static int int32(byte[] binary, int at) {
    return (binary[at] & 0xff)
        | (binary[at + 1] & 0xff) << 8
        | (binary[at + 2] & 0xff) << 16
        | (binary[at + 3] & 0xff) << 24;
  }
}
