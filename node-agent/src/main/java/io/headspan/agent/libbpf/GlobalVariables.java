package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/// Where an object's global variables lie in its data sections, as its BTF says.
///
/// A section is a `BTF_KIND_DATASEC`: `struct btf_type {__u32 name_off, info, size}`, then `vlen`
/// times `struct btf_var_secinfo {__u32 type, offset, size}`, where `type` is a `BTF_KIND_VAR` that
/// bears the name (`Documentation/bpf/btf.rst`, 2.2.14 and 2.2.15). libbpf has put the offsets
/// right by the time the object is open.
final class GlobalVariables {
  private static final int TYPE_SIZE_BYTES = 12;
  private static final int SECTION_ENTRY_SIZE_BYTES = 12;

  /// @param section the ELF section, by which libbpf finds the map
  record Variable(String name, String section, int offsetBytes, int sizeBytes) {
    boolean isReadOnly() {
      return section.startsWith(".rodata");
    }
  }

  private GlobalVariables() {}

  /// @param btf a `struct btf *`; NULL for an object without BTF, which has no named variables
  static Map<String, Variable> of(MemorySegment btf) {
    var variables = new LinkedHashMap<String, Variable>();
    if (btf.address() == 0) {
      return variables;
    }
    int typeCount = Libbpf.btfTypeCount(btf);
    for (int id = 1; id < typeCount; id++) {
      MemorySegment pointer = Libbpf.btfType(btf, id);
      MemorySegment type = Libbpf.memory(pointer, TYPE_SIZE_BYTES);
      int info = type.get(JAVA_INT, 4);
      int kind = (info >>> 24) & 0x1f;
      if (kind != Libbpf.BTF_KIND_DATASEC) {
        continue;
      }
      String section = name(btf, type);
      if (isData(section)) {
        int entries = info & 0xffff;
        addSection(variables, btf, section, entries, pointer);
      }
    }
    return variables;
  }

  private static void addSection(
      Map<String, Variable> variables,
      MemorySegment btf,
      String section,
      int entries,
      MemorySegment pointer) {
    MemorySegment type =
        Libbpf.memory(pointer, TYPE_SIZE_BYTES + (long) entries * SECTION_ENTRY_SIZE_BYTES);
    for (int entry = 0; entry < entries; entry++) {
      long at = TYPE_SIZE_BYTES + (long) entry * SECTION_ENTRY_SIZE_BYTES;
      int variableType = type.get(JAVA_INT, at);
      int offsetBytes = type.get(JAVA_INT, at + 4);
      int sizeBytes = type.get(JAVA_INT, at + 8);
      String name = name(btf, Libbpf.memory(Libbpf.btfType(btf, variableType), TYPE_SIZE_BYTES));
      variables.put(name, new Variable(name, section, offsetBytes, sizeBytes));
    }
  }

  private static String name(MemorySegment btf, MemorySegment type) {
    return Libbpf.string(Libbpf.btfName(btf, type.get(JAVA_INT, 0)));
  }

  private static boolean isData(String section) {
    return section.startsWith(".rodata")
        || section.startsWith(".data")
        || section.startsWith(".bss");
  }

  /// `value` as the low bytes of a variable of `sizeBytes`, if it fits as a signed or as an
  /// unsigned number.
  static OptionalLong fit(long value, int sizeBytes) {
    int bits = sizeBytes * Byte.SIZE;
    if (bits == Long.SIZE) {
      return OptionalLong.of(value);
    }
    long lowest = -(1L << (bits - 1));
    long highest = (1L << bits) - 1;
    return value >= lowest && value <= highest
        ? OptionalLong.of(value & highest)
        : OptionalLong.empty();
  }
}
